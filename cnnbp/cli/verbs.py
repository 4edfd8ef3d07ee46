"""The list of verbs, and the group that imports one only when it runs."""

import gc
import os
import signal
from collections.abc import Mapping, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from cnnbp.cli.streams import StdoutLost
from cnnbp.errors import CnnbpError, ConfigError, DataError


class Verb(NamedTuple):
    """A verb's line in the list of all, the panel that it stands in, and examples for its own help."""

    panel: str
    line: str
    examples: tuple[str, ...]


_USE, _CHECK, _LOOK, _DATA = "Train and use", "Check", "Look inside", "Data and configuration"

VERBS: Mapping[str, Verb] = {
    "train": Verb(
        _USE,
        "Train a network on an image folder; write a run directory.",
        (
            "cnnbp train configs/digits.yaml",
            "cnnbp train net.yaml images/ train.epochs=20 --run runs/longer",
            "cnnbp train --resume runs/digits train.epochs=60",
            "cnnbp train net.yaml --lr-find",
        ),
    ),
    "evaluate": Verb(
        _USE,
        "Show how good a run is: loss, accuracy, each class, confusions, the worst images; several as a table.",
        (
            "cnnbp evaluate runs/digits",
            "cnnbp evaluate runs/digits other-images/ --worst 20",
            "cnnbp evaluate runs/digits runs/digits-2",
        ),
    ),
    "predict": Verb(
        _USE,
        "Name the class and its probability of images, by a run.",
        ("cnnbp predict runs/digits image.png", "ls images/*.png | cnnbp predict runs/digits - --json"),
    ),
    "export": Verb(
        _USE,
        "Write a run's weights as ONNX, safetensors or npz, for other tools.",
        ("cnnbp export runs/digits --to onnx",),
    ),
    "sweep": Verb(
        _USE,
        "Train a grid of options with several seeds each, side by side, and compare them.",
        ("cnnbp sweep net.yaml train.optimizer.adam.lr=1e-3,1e-2 train.batch_size=16,64 --seeds 5",),
    ),
    "runs": Verb(
        _USE,
        "List runs: what differs between them, and what came of each.",
        ("cnnbp runs", "cnnbp runs runs/net-sweep --curves"),
    ),
    "gradcheck": Verb(
        _CHECK,
        "Check every analytic gradient against numeric ones.",
        (
            "cnnbp gradcheck configs/lecture.yaml --full",
            "cnnbp gradcheck net.yaml --break list",
            "cnnbp gradcheck net.yaml --break conv2d1:dX-unflipped",
        ),
    ),
    "compare": Verb(
        _CHECK,
        "Compare what another program computed with a batch that grads --save wrote.",
        ("cnnbp compare reference.npz mine.npz",),
    ),
    "shapes": Verb(
        _LOOK,
        "Show every tensor's shape, forward and backward, and its cost.",
        ("cnnbp shapes net.yaml --backward", "cnnbp shapes net.yaml --batch 64"),
    ),
    "grads": Verb(
        _LOOK,
        "Follow the chain rule through one batch: every value and gradient, image by image.",
        ("cnnbp grads configs/lecture.yaml", "cnnbp grads runs/digits --save batch.npz"),
    ),
    "page": Verb(
        _LOOK,
        "Write one batch's chain rule as a page to click through: one HTML file.",
        (
            "cnnbp page configs/lecture.yaml -o lecture.html",
            "cnnbp page configs/lecture.yaml --quiz",
            "cnnbp page configs/lecture.yaml --break random --hide --seed 7",
        ),
    ),
    "bench": Verb(
        _LOOK,
        "Time a training step and its layers, next to this machine's rate in large matrix products.",
        ("cnnbp bench net.yaml --threads 1", "cnnbp bench net.yaml --against torch"),
    ),
    "data": Verb(
        _DATA,
        "Scan an image folder: classes, sizes, modes, what would be skipped and why.",
        ("cnnbp data images/",),
    ),
    "import": Verb(
        _DATA,
        "Make an image folder of a zip or tar, MNIST's IDX, CIFAR's binary form or npz arrays.",
        (
            "cnnbp import cifar-10-binary.tar.gz cifar/",
            "cnnbp import train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz mnist/",
        ),
    ),
    "init": Verb(
        _DATA,
        "Write a commented starter configuration, fitted to a folder if one is given.",
        ("cnnbp init net.yaml --data images/",),
    ),
    "schema": Verb(
        _DATA,
        "Print the configuration's JSON Schema, for editors.",
        ("cnnbp schema > cnnbp.schema.json",),
    ),
}

_ON_RANKS = {"train"}  # what several processes can do together

# MPICH and Intel MPI, Open MPI, and Slurm's srun tell every process where it stands.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")

INTERRUPTED = 130  # 128 + SIGINT, as shells count
OUT_OF_MEMORY = 2
_NO_THREAD = "can't start new thread"  # Python has no exception of its own for it


class VerbGroup(TyperGroup):
    """Knows every verb's name and line without importing it, and ends a failed one with its exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the real command and the remaining arguments."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None:
            return name, placeholder, rest
        if name not in _ON_RANKS:
            _refuse_several_processes(name)
        command = load_verb(name)
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a verb. The one place where an error becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except StdoutLost:
            raise
        except BaseException as error:
            told = failure(error)
            if told is None:
                raise
            message, exit_code = told
            if message:
                show_error(message)
            raise typer.Exit(exit_code) from error
        finally:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, signal.SIG_DFL)  # the end of the process is no more to be left halfway


def in_python(verb: str) -> str:
    """Return what a verb's module and function are called: import is a keyword."""
    return f"{verb}_" if iskeyword(verb) else verb


def load_verb(name: str) -> Any:
    """Import a verb and return its Typer command."""
    gc.disable()  # nothing that an import makes is garbage
    module = import_module(f"cnnbp.cli.{in_python(name)}")
    gc.freeze()
    gc.enable()
    app = typer.Typer(add_completion=False)
    examples = "\n\n".join(("Examples:", *VERBS[name].examples))
    app.command(name, help=VERBS[name].line, epilog=examples)(getattr(module, in_python(name)))
    return typer.main.get_command(app)


def processes_started() -> int:
    """Return how many processes mpiexec or srun has started together, without asking MPI; 1 for one on its own."""
    return _told(_SIZES, 1)


def _refuse_several_processes(verb: str) -> None:
    """Raise ConfigError in the first of several processes, and end the others."""
    if processes_started() == 1:
        return
    if _told(_RANKS, 0):
        raise typer.Exit(ConfigError.exit_code)
    raise ConfigError(f"cnnbp {verb} works in one process: start it without mpiexec or srun; only train uses several")


def _told(names: Sequence[str], default: int) -> int:
    """Return the first of these environment variables that is a number."""
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), default)


def failure(error: BaseException) -> tuple[str, int] | None:
    """Return what to say of an error, nothing of Ctrl-C, and the exit code; None for a bug, which keeps its trace."""
    match error:
        case CnnbpError():
            return str(error), error.exit_code
        case MemoryError():
            return f"not enough memory: {error}; smaller batches need less", OUT_OF_MEMORY
        case OSError():  # a name that is too long, a folder that may not be looked into, a process too many
            what = f"cannot use {str(error.filename)!r}" if error.filename else "the system refuses"
            return f"{what}: {error.strerror or error}", DataError.exit_code
        case RuntimeError() if _NO_THREAD in str(error):
            return "the system refuses one more thread: --threads 1 needs fewest", OUT_OF_MEMORY
        case KeyboardInterrupt():
            return "", INTERRUPTED
    return None


def show_error(message: str) -> None:
    """Say on stderr what is wrong."""
    from cnnbp.report.console import print_error

    print_error(message)
