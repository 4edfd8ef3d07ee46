# cnnbp in a container:
#     docker build -t cnnbp .
#     docker run --rm -v "$PWD":/work cnnbp init --example digits
#     docker run --rm -v "$PWD":/work cnnbp train configs/digits.yaml
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY cnnbp cnnbp
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[onnx]'

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels 'cnnbp[onnx]' && rm -r /wheels
# Not root: what is written into a mounted folder should not be root's. `--user "$(id -u):$(id -g)"` makes it yours.
RUN useradd --create-home user
USER user
WORKDIR /work
ENTRYPOINT ["cnnbp"]
CMD ["--help"]
