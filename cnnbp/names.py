"""Looking something up by its name, with a hint for the name that was probably meant."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from cnnbp.errors import UnknownName

Value = TypeVar("Value")

_LONGEST = 100  # characters of a word that is compared with known ones


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant; case decides only between those that differ in nothing else."""
    if len(wrong) > _LONGEST:
        return None
    folded: dict[str, list[str]] = {}
    for word in known:
        folded.setdefault(word.lower(), []).append(word)
    close = get_close_matches(wrong.lower(), folded, n=1)
    return get_close_matches(wrong, folded[close[0]], n=1, cutoff=0)[0] if close else None


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """Return the hint that names the closest known word, else all of them."""
    meant = closest(wrong, known)
    return f'did you mean "{meant}"?' if meant else f"known: {', '.join(known)}"


def unknown(what: str, wrong: object, known: Iterable[str]) -> UnknownName:
    """Return the error for a name that is not among the known ones; `what` says of what kind they are."""
    names = list(known)
    hint = did_you_mean(str(wrong), names) if names else "there is none"
    return UnknownName(f"no {what} {wrong!r}: {hint}")


class Named(dict[str, Value]):
    """A dict by name. A name that is not in it raises UnknownName, a KeyError, with the one that was probably meant."""

    def __init__(self, what: str, values: Mapping[str, Value]) -> None:
        """`what` is what a value is called in that error: a layer, a tensor."""
        super().__init__(values)
        self.what = what

    def __missing__(self, name: object) -> Value:
        raise unknown(self.what, name, self)
