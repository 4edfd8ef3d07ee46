"""The public names: what stays as it is from one version to the next, and what the reference shows."""

import cnnbp
from cnnbp import gradcheck, layers

PUBLIC: dict[str, tuple[str, ...]] = {
    "cnnbp": tuple(cnnbp.__all__),
    "cnnbp.config": ("Config", "InputConfig", "DataConfig", "NormalizeConfig", "TrainConfig", "EarlyStopping"),
    "cnnbp.layers": tuple(name for name in layers.__all__ if not name.isupper() or name in {"ELU", "GELU"}),
    "cnnbp.losses": ("Loss", "BinaryCrossEntropy", "CrossEntropy", "MeanSquaredError"),
    "cnnbp.optimizers": ("Optimizer", "SGD", "RMSprop", "Adam", "AdamW"),
    "cnnbp.schedules": ("Schedule", "Constant", "Warmup", "Step", "Cosine", "Plateau"),
    "cnnbp.gradcheck": tuple(gradcheck.__all__),
}
