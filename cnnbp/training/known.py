"""Which images trained a run, validated it or test it: known by their pixels, wherever they lie now."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.duplicates import Digested, Digests, shared

ANY_NAME = ("utf-8", "surrogatepass")  # a file's name may be bytes of no encoding
_EXAMPLES = 3


class Role(IntEnum):
    """What an image is to a run. Of two that an image has had, the smaller one counts: what trained stays trained."""

    TRAIN = 0
    VAL = 1
    TEST = 2
    NEW = 3
    CHANGED = 4  # another image lies under the name of a known one
    COPY = 5  # one more of a known image than the run had


Roles = NDArray[np.uint8]  # values of Role


@dataclass(frozen=True, eq=False)
class KnownImages:
    """The images of a run: a digest of each one's pixels, as the network reads them, one of its name, and its role.

    Names themselves are in the run's split.csv.
    """

    BYTES: ClassVar = 17  # of an image, in memory and in a checkpoint

    pixels: Digests  # (N,)
    names: Digests  # (N,)
    roles: Roles  # (N,): TRAIN, VAL or TEST

    @classmethod
    def none(cls, count: int = 0) -> Self:
        """Return the knowledge of a run before its first step, or arrays for `count` images that are to be filled."""
        return cls(np.zeros(count, np.uint64), np.zeros(count, np.uint64), np.zeros(count, np.uint8))

    @classmethod
    def of(cls, images: Digested, role: Role) -> Self:
        """Return images that all have one role."""
        return cls(images.digests, name_digests(images.names), np.full(len(images.names), role, np.uint8))

    @classmethod
    def together(cls, parts: Iterable["KnownImages"]) -> Self:
        """Return the images of all parts."""
        several = [(part.pixels, part.names, part.roles) for part in parts]
        return cls(*(np.concatenate(arrays) for arrays in zip(*several, strict=True)))

    def __len__(self) -> int:
        return len(self.roles)

    def having(self, *roles: Role) -> Self:
        """Return the images of some roles."""
        return self._where(np.isin(self.roles, roles))

    def without(self, pixels: Digests) -> Self:
        """Return the images whose pixels are not among some."""
        return self._where(~shared(self.pixels, pixels))

    def roles_of(self, pixels: Digests) -> Roles:
        """Return the role of each image by its pixels: NEW where the run does not know them."""
        if not len(self):
            return np.full(len(pixels), Role.NEW, np.uint8)
        order = np.lexsort((self.roles, self.pixels))  # the smallest role of equal pixels first
        places = order.take(np.searchsorted(self.pixels, pixels, sorter=order), mode="clip")
        return np.where(self.pixels[places] == pixels, self.roles[places], np.uint8(Role.NEW))

    def roles_in_place(self, images: Digested) -> Roles:
        """Return the roles of images that lie where the run's lay, CHANGED and COPY among them."""
        roles = self.roles_of(images.digests)
        roles[(roles == Role.NEW) & shared(name_digests(images.names), self.names)] = Role.CHANGED
        roles[self._copies(images)] = Role.COPY
        return roles

    def _copies(self, images: Digested) -> NDArray[np.bool_]:
        """Tell which images are more copies of known pixels than the run had; those under its own names count first."""
        renamed = ~shared(name_digests(images.names), self.names)
        order = np.lexsort((renamed, images.digests))
        digests, known = images.digests[order], np.sort(self.pixels)
        place = np.arange(len(order)) - np.searchsorted(digests, digests)  # among the images with the same pixels
        had = np.searchsorted(known, digests, "right") - np.searchsorted(known, digests)
        copies = np.zeros(len(order), np.bool_)
        copies[order] = (had > 0) & (place >= had)
        return copies

    def _where(self, chosen: NDArray[np.bool_]) -> Self:
        return type(self)(self.pixels[chosen], self.names[chosen], self.roles[chosen])


def _paired(pixels: Digests, names: Digests) -> Digests:
    """Return a digest of each image and its name together: images may have changed their names with each other."""
    return pixels * np.uint64(0x9E3779B97F4A7C15) + names  # an odd factor, modulo 2⁶⁴


@dataclass(frozen=True, eq=False)
class FolderChanges:
    """How a folder differs from what a run knows of it; `missing` are digests of names."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    copies: tuple[str, ...]
    renamed: tuple[str, ...]
    missing: Digests

    @classmethod
    def of(cls, known: KnownImages, images: Digested, *expected: Role) -> Self:
        """Compare the images of a folder with all that are known; those of the `expected` roles are to be there."""
        roles = known.roles_in_place(images)
        names = images.names  # once: they may be made anew each time
        digests = name_digests(names)
        renamed = (roles < Role.NEW) & ~shared(_paired(images.digests, digests), _paired(known.pixels, known.names))
        gone = known.having(*expected).without(images.digests).names
        missing = gone[~shared(gone, digests[roles == Role.CHANGED])]

        def named(chosen: NDArray[np.bool_]) -> tuple[str, ...]:
            return tuple(names[index] for index in np.flatnonzero(chosen))

        new, changed, copies = (named(roles == role) for role in (Role.NEW, Role.CHANGED, Role.COPY))
        return cls(new, changed, copies, named(renamed), missing)

    def described(self, listed: Iterable[str]) -> str:
        """Say it in a few words, or nothing; `listed` are the names that the run has written down."""
        parts = (
            (len(self.missing), "missing", self.missing_among(listed)),
            (len(self.changed), "changed", self.changed),
            (len(self.new), "new", self.new),
            (len(self.copies), "copies" if len(self.copies) > 1 else "copy", self.copies),
            (len(self.renamed), "renamed", self.renamed),
        )
        return ", ".join(f"{count} {what}{_examples(names)}" for count, what, names in parts if count)

    def missing_among(self, listed: Iterable[str]) -> list[str]:
        """Return which of the names are missing."""
        return names_among(listed, frozenset(self.missing.tolist())) if len(self.missing) else []

    def document(self, listed: Iterable[str]) -> dict[str, Any]:
        """Return all of it; `unnamed` counts the missing whose names are not listed."""
        missing = self.missing_among(listed)
        return {
            "missing": missing,
            "unnamed": len(self.missing) - len(missing),
            "changed": self.changed,
            "new": self.new,
            "copies": self.copies,
            "renamed": self.renamed,
        }


def name_digests(names: Sequence[str]) -> Digests:
    """Return 64 bits of each name."""
    digests = (blake2b(name.encode(*ANY_NAME), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _examples(names: Sequence[str]) -> str:
    return f" ({', '.join(map(repr, names[:_EXAMPLES]))}{', …' * (len(names) > _EXAMPLES)})" if names else ""


def names_among(names: Iterable[str], wanted: Collection[int]) -> list[str]:
    """Return the names whose digests are wanted, sorted."""
    names = list(names)
    return sorted(name for name, digest in zip(names, name_digests(names).tolist(), strict=True) if digest in wanted)
