"""What stdout and stderr do at their limits: a reader that leaves, and characters that a terminal does not have."""

import codecs
import io
import signal
import sys

_PLAIN = str.maketrans("×·∂−–—→←⌊⌋⋆σ′ᵀ…│─┃━‖⊙ΣₘₖθΔγβμε²", "x.d---><[]*s'T~|-|-|*SmktDgbue2")


def prepare_streams() -> None:
    """Let a pipe that closes (`cnnbp … | head`) end the process quietly, and write `x` or `?` where `×` cannot be."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    codecs.register_error("cnnbp", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cnnbp")


def _replacement(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(c if c.isascii() else "?" for c in plain), error.end
