"""Small damages to a file's bytes, drawn from a seeded generator."""

from collections.abc import Callable, Sequence
from random import Random

INTERESTING = [0, 1, 7, 8, 16, 127, 128, 255, 256, 257, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


def mutated(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Damage a file in one to eight places; `others` are files to take parts from."""
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5, 8])):
        rng.choice(_DAMAGES)(damaged, others, rng)
    return bytes(damaged)


def _place(content: bytearray, rng: Random) -> int:
    """Pick a place, as often as not near the start, where the headers are."""
    return rng.randrange(min(len(content), 80) if rng.random() < 0.5 else len(content)) if content else 0


def _flip_bit(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    if content:
        content[_place(content, rng)] ^= 1 << rng.randrange(8)


def _set_byte(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    if content:
        content[_place(content, rng)] = rng.randrange(256)


def _set_number(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    width, place = rng.choice([1, 2, 4]), _place(content, rng)
    number = rng.choice(INTERESTING) % (1 << 8 * width)
    content[place : place + width] = number.to_bytes(width, rng.choice(["big", "little"]))


def _remove(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    place = _place(content, rng)
    del content[place : place + rng.choice([1, 2, 4, 16, 64])]


def _repeat(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    place = _place(content, rng)
    content[place:place] = content[place : place + rng.choice([1, 4, 16, 64])] * rng.choice([1, 1, 2, 50])


def _insert(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    place = _place(content, rng)
    content[place:place] = rng.randbytes(rng.choice([1, 2, 4, 16]))


def _truncate(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    del content[_place(content, rng) :]


def _splice(content: bytearray, others: Sequence[bytes], rng: Random) -> None:
    other = rng.choice(others)
    here, there = _place(content, rng), rng.randrange(len(other))
    content[here : here + 32] = other[there : there + rng.choice([4, 32, 256])]


_DAMAGES: list[Callable[[bytearray, Sequence[bytes], Random], None]] = [
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_number,
    _set_number,
    _remove,
    _repeat,
    _insert,
    _truncate,
    _splice,
]
