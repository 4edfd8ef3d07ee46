from cnnbp.bench import Bench, Opponent, StepTime
from cnnbp.bench.results import Variant
from cnnbp.report.bench import draw_bench
from tests.report.paper import printed


def test_another_framework_is_shown_in_each_of_its_ways_and_by_its_best():
    variants = (Variant("one thread", StepTime(2, 3)), Variant("two threads", StepTime(1, 2)))
    against = Opponent("PyTorch 2", variants, 1.25)
    bench = Bench("noise", 8, 4, 1 << 20, 2, "float32", StepTime(1.5, 1.6), 5000, 100, 0.5, (), 0.1, 0.2, against)
    *_, one, two, ratio = printed(draw_bench, bench)
    assert one == "PyTorch     3 ms (median; the fastest 2 ms), one thread"
    assert two == "PyTorch     2 ms (median; the fastest 1 ms), two threads"
    assert ratio == "ratio       1.25: the best median of PyTorch 2 over cnnbp's"
