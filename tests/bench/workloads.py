"""What is timed against PyTorch: five plain networks, every configuration that comes along, and a ResNet-20."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FIVE = ("lecture", "digits8", "mnist28", "cifar32", "photo64")
_SHIPPED = ("digits", "lenet", "cats_dogs", "vgg", "residual")  # configs/lecture.yaml is the first of the five

WORKLOADS = {
    **{name: _ROOT / "configs" / "bench" / f"{name}.yaml" for name in _FIVE},
    **{name: _ROOT / "configs" / f"{name}.yaml" for name in _SHIPPED},
    "resnet20": _ROOT / "tests" / "bench" / "resnet20.yaml",
}
