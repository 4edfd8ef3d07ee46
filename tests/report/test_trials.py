from cnnbp.optimizers import Adam
from cnnbp.report.trials import draw_rates
from cnnbp.training.trials import RatePoint, RateTest
from tests.report.paper import printed


def test_one_rate_is_no_curve():
    lines = printed(draw_rates, RateTest.of([RatePoint(0.1, 2.0)]), Adam())
    assert lines[0] == "suggestion: train.optimizer.adam.lr=1.0e-01"
