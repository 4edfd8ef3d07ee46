"""The list of verbs, and the group that imports one only when it runs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from cnnbp.errors import CnnbpError

VERBS: Mapping[str, str] = {
    "train": "Train a network on an image folder; write a run directory.",
    "gradcheck": "Check every analytic gradient against numeric ones.",
    "shapes": "Show every tensor's shape, forward and backward, and its cost.",
    "grads": "Follow the chain rule through one batch: every value and gradient, image by image.",
    "evaluate": "Show how good a run is: loss, accuracy, each class, the confusion matrix, the worst images.",
    "predict": "Name the class and its probability of images, by a run.",
    "export": "Write a run's weights as ONNX, safetensors or npz, for other tools.",
    "bench": "Time a training step and its layers, next to this machine's rate in large matrix products.",
    "data": "Scan an image folder: classes, sizes, modes, what would be skipped and why.",
    "init": "Write a commented starter configuration, fitted to a folder if one is given.",
    "schema": "Print the configuration's JSON Schema, for editors.",
}

INTERRUPTED = 130  # 128 + SIGINT, as shells count
OUT_OF_MEMORY = 2


class VerbGroup(TyperGroup):
    """Knows every verb's name and line without importing it, and ends a failed one with its exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the real command and the remaining arguments."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder if name is None else load_verb(name), rest

    def invoke(self, ctx: Any) -> Any:
        """Run a verb. The one place where an error becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except CnnbpError as error:
            raise _failed(str(error), error.exit_code) from error
        except MemoryError as error:
            raise _failed(f"not enough memory: {error}; smaller batches need less", OUT_OF_MEMORY) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


def load_verb(name: str) -> Any:
    """Import a verb and return its Typer command."""
    module = import_module(f"cnnbp.cli.{name}")
    app = typer.Typer(add_completion=False)
    app.command(name, help=VERBS[name])(getattr(module, name))
    return typer.main.get_command(app)


def _failed(message: str, exit_code: int) -> typer.Exit:
    from cnnbp.report.console import print_error

    print_error(message)
    return typer.Exit(exit_code)
