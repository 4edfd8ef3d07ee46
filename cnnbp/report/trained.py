"""Which checkpoint a verb looks at, in words and for `--json`."""

from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.report.console import one_line
from cnnbp.training.trained import Trained


def draw_trained(trained: Trained, console: Console) -> None:
    """Name the checkpoint file and the epoch that it is from."""
    line = f"{one_line(str(trained.file))}, after epoch {trained.epoch} of {trained.config.train.epochs}"
    console.print(Text.assemble(("checkpoint ", "bold"), line), soft_wrap=True)


def trained_document(trained: Trained) -> dict[str, Any]:
    """Return the same for other programs."""
    return {"checkpoint": str(trained.file), "epoch": trained.epoch, "classes": trained.checkpoint.classes}
