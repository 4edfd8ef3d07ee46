"""How numbers are written for people."""

import re

_PREFIXES = ("", "k", "M", "G", "T", "P")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def format_count(count: float) -> str:
    """Write a count with three digits and a prefix: 847, 1.23 k, 45.6 M."""
    return _scaled(count, 1000, _PREFIXES).rstrip()


def format_bytes(count: float) -> str:
    """Write an amount of memory: 512 B, 1.5 KiB, 64 MiB."""
    return _scaled(count, 1024, _BINARY)


def format_number(value: float) -> str:
    """Write a number with four significant digits: 0.1234, 12.34, 1.234e-05."""
    return f"{value:.4g}"


def _scaled(count: float, base: int, units: tuple[str, ...]) -> str:
    exponent = 0
    while count >= base and exponent < len(units) - 1:
        count /= base
        exponent += 1
    digits = f"{count:.0f}" if exponent == 0 or count >= 100 else f"{count:.3g}"
    return f"{digits} {units[exponent]}"


def natural_order(name: str) -> list[tuple[int, str]]:
    """Return what sorts names as people do: 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
