import json

import numpy as np
import pytest

from cnnbp.optimizers import SGD, Adam
from cnnbp.page import tensors
from cnnbp.page.document import Page, page_document
from tests.inspect.lecture import by_hand, lecture_model
from tests.page.pages import coupled_inspection, lecture_document, lecture_inspection, numbers, random_inspection

FORWARD = ["X", "Z1", "A1", "F", "f", "Z2", "A2", "L"]
BACKWARD = ["∂L/∂A2", "∂A2/∂Z2", "∂L/∂Z2", "∂L/∂W2", "∂L/∂b2", "∂L/∂f", "∂L/∂F", "∂L/∂A1", "∂L/∂Z1", "∂L/∂W1", "∂L/∂b1"]


def test_every_number_of_the_lectures_page_is_the_one_that_loops_find():
    document, expected = lecture_document(), by_hand(lecture_model())
    for symbol, array in expected.items():
        stack = f"{symbol} by image"
        shown = numbers(document, stack if stack in document["tensors"] else symbol)
        np.testing.assert_allclose(shown, array, rtol=1e-12, atol=1e-15, err_msg=symbol)
        if stack in document["tensors"]:
            total = array.sum(axis=-1)
            np.testing.assert_allclose(numbers(document, symbol), total, rtol=1e-12, atol=1e-15, err_msg=symbol)


def test_the_stations_go_forward_and_back_each_with_what_its_equation_reads():
    document = lecture_document()
    stations = {station["symbol"]: station for station in document["stations"]}
    assert list(stations) == [*FORWARD, *BACKWARD, "∂L/∂X"]
    assert stations["Z1"]["reads"] == ("X", "W1", "b1")
    assert stations["L"]["reads"] == ("A2", "Y")
    assert stations["∂L/∂Z1"]["reads"] == ("∂L/∂A1", "Z1")
    assert stations["∂L/∂A1"]["reads"] == ("∂L/∂F", "A1")
    assert stations["∂L/∂W1"]["reads"] == ("X", "∂L/∂Z1")
    assert [symbol for symbol, station in stations.items() if station["share"]] == ["∂L/∂A2"]
    columns = {symbol: station["column"] for symbol, station in stations.items()}
    assert columns["Z1"] == columns["∂L/∂Z1"] == columns["∂L/∂W1"] == 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_network_a_station_reads_tensors_that_are_there_and_json_holds_it_all(seed):
    inspection = random_inspection(seed)
    document = page_document(Page("random", inspection))
    json.dumps(document, allow_nan=False)
    for station in document["stations"]:
        assert {station["symbol"], *station["reads"]} <= set(document["tensors"])
        assert station["note"]
        assert station["reads"] or station["symbol"] == "X"
    for node in inspection.record.model.network.nodes:
        symbol = inspection.symbols.values[node.index]
        value = inspection.record.tape.values[node.index]
        np.testing.assert_allclose(numbers(document, symbol), value[..., : document["shown"]], rtol=1e-6, atol=1e-12)


def test_gradient_descent_and_the_configurations_optimizer_are_both_shown():
    document = lecture_document()
    plain, own = document["updates"]
    assert (plain["optimizer"], plain["plain"], own["optimizer"], own["plain"]) == ("sgd", True, "adam", False)
    assert own["after"] == lecture_inspection(Adam(lr=0.05)).update.loss_after
    assert plain["after"] < plain["before"] == own["before"]
    gradient, change = numbers(document, "∂L/∂W1"), numbers(document, "ΔW1")
    np.testing.assert_allclose(change, -0.05 * np.sign(gradient), rtol=1e-4)
    [only] = page_document(Page("lecture.yaml", lecture_inspection(SGD(lr=0.5))))["updates"]
    assert only["plain"]


def test_no_folder_of_this_machine_goes_with_a_page():
    assert lecture_document()["source"] == "strokes"
    assert "somewhere" not in json.dumps(lecture_document())


def test_batch_norms_means_are_those_of_the_whole_batch():
    inspection = coupled_inspection()
    document = page_document(Page("net", inspection))
    Z, N = inspection.record.tape.values[0], document["nodes"][1]
    assert N["statistics"]["mean"] == "μ1"
    np.testing.assert_allclose(numbers(document, "μ1"), Z.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(numbers(document, "σ²1"), Z.var(axis=(1, 2, 3)))
    dN = inspection.record.tape.gradients[1]
    np.testing.assert_allclose(numbers(document, "mean ∂L/∂N1"), dN.mean(axis=(1, 2, 3)), atol=1e-15)
    station = next(station for station in document["stations"] if station["symbol"] == "∂L/∂Z1")
    assert {"∂L/∂N1", "Z1", "γ1", "μ1", "σ²1", "mean ∂L/∂N1", "mean(∂L/∂N1 ⊙ x̂)"} == set(station["reads"])


def test_a_page_holds_fewer_images_then_not_the_largest_tensors_and_says_so(monkeypatch):
    inspection = coupled_inspection()
    everything = page_document(Page("net", inspection))
    assert (everything["shown"], everything["leftOut"]) == (6, [])
    monkeypatch.setattr(tensors, "MOST", 5_000)
    fewer = page_document(Page("net", inspection))
    assert fewer["shown"] < 6
    assert fewer["leftOut"] == [f"the maps of images {fewer['shown'] + 1} to 6"]
    np.testing.assert_array_equal(numbers(fewer, "Z1"), numbers(everything, "Z1")[..., : fewer["shown"]])
    monkeypatch.setattr(tensors, "MOST", 2_000)
    smaller = page_document(Page("net", inspection))
    assert smaller["shown"] == 1
    assert "W2 (5×144)" in smaller["leftOut"]
    assert "data" not in smaller["tensors"]["W2"]
    assert smaller["tensors"]["W2"]["largest"] == everything["tensors"]["W2"]["largest"]


def test_where_a_network_looks_is_shown_for_one_that_cannot_be_read_number_by_number():
    assert lecture_document()["attention"] is None
    document = page_document(Page("net", coupled_inspection()))
    assert document["attention"]["classes"] == [0, 1, 2]
    assert numbers(document, "Grad-CAM").shape == (3, 6, 6, 6)
    np.testing.assert_allclose(numbers(document, "|∂L/∂X|")[0], np.abs(numbers(document, "∂L/∂X")).max(axis=0))
