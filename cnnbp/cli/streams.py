"""What stdout and stderr do at their limits: a reader that leaves, and characters that a terminal does not have."""

import codecs
import io
import signal
import sys

_LOOKS_LIKE = {
    "x": "×ˣ",
    ".": "·",
    "*": "⋆⊙●",
    "d": "∂",
    "D": "Δ",
    "S": "Σ",
    "P": "Φ",
    "a": "α",
    "b": "β",
    "g": "γ",
    "e": "ε",
    "t": "θ",
    "m": "μₘ",
    "p": "π",
    "r": "ρ",
    "s": "σ",
    "8": "⁸",
    "inf": "∞",
    "v": "√",
    "2": "²₂",
    "3": "³",
    "0": "⁰",
    "1": "¹₁",
    "6": "⁶",
    "-": "⁻−–—─━",
    "k": "ₖ",
    "T": "ᵀ",
    "z": "ᶻ",
    "'": "′",
    '"': "″",
    "~": "±…",
    ">": "→≥⟩",
    "<": "←⟨",
    "[": "⌊⌈",
    "]": "⌋⌉",
    "|": "‖│┃",
    "+": "├└┌┐┘┤┬┴┼╭╮╯╰",
    "o": "○",
    " ": "°",
    "^": "\u0302",
    "_": "\u0304",
}
_PLAIN = {ord(character): plain for plain, characters in _LOOKS_LIKE.items() for character in characters}


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
