import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbp.report.document import plain, write_json


@dataclass(frozen=True)
class Inner:
    shape: tuple[int, ...]
    loss: float


@dataclass(frozen=True)
class Result:
    name: str
    inner: Inner
    values: np.ndarray
    by_class: dict[str, np.float32]
    folder: Path


def test_a_result_becomes_json_by_the_names_of_its_fields(capsys):
    write_json(Result("ä", Inner((1, 2), 0.5), np.arange(2), {"a": np.float32(0.25)}, Path("runs")))
    screen = capsys.readouterr().out
    assert screen.isascii()
    assert json.loads(screen) == {
        "name": "ä",
        "inner": {"shape": [1, 2], "loss": 0.5},
        "values": [0, 1],
        "by_class": {"a": 0.25},
        "folder": "runs",
    }


def test_what_json_has_no_number_for_is_null():
    assert plain([float("nan"), float("inf"), np.float64("-inf"), 1.0]) == [None, None, None, 1.0]
