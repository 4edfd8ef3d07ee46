from dataclasses import replace

import pytest

from cnnbp.gradcheck.selftest import networks, self_test
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, LeakyReLU, MaxPool2d
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network


def small():
    layers = [
        Conv2d(filters=2, kernel=2, pad=1, stride=2),
        BatchNorm(),
        LeakyReLU(slope=0.2),
        MaxPool2d(kernel=2, stride=1),
        Flatten(),
        Dense(units=2),
    ]
    return {"small": (Network((2, 5, 4), layers), CrossEntropy())}


def test_every_bug_of_a_small_network_is_found_and_blamed_and_nothing_is_without_one():
    seen = []
    report = self_test(small(), lambda done, total: seen.append((done, total)))
    assert [detection for detection in report.detections if not detection.caught] == []
    assert report.unbroken == {"small": "pass"}
    assert report.verdict == "pass"
    assert seen == [(done, len(report.detections)) for done in range(1, len(report.detections) + 1)]
    assert len(report.detections) > 50


@pytest.mark.slow
def test_bugs_of_the_loss_are_found_in_every_network():
    for name, (network, loss) in networks().items():
        report = self_test({name: (network, loss)}, only=lambda fit: fit.layer == "loss")
        assert report.detections
        assert report.verdict == "pass", name


def test_one_that_gets_away_or_is_blamed_elsewhere_or_an_alarm_without_a_bug_fails_the_whole():
    report = self_test(small(), only=lambda fit: fit.bug == "sign")
    [detection] = report.detections
    missed, elsewhere = replace(detection, detected=False, blame=()), replace(detection, blame=("loss", "conv1"))
    assert replace(report, detections=(missed,)).verdict == "fail"
    assert replace(report, detections=(elsewhere,)).verdict == "fail"
    assert replace(report, unbroken={"small": "inconclusive"}).verdict == "fail"
