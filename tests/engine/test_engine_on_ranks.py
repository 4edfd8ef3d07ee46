"""The engine on several ranks: every rank gets the bits that one process alone gets."""

import numpy as np
import pytest

from cnnbp.engine import Engine
from cnnbp.engine.ranks import ALONE, Ranks, gather_texts, run_of
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from tests.engine.thread_ranks import on_ranks
from tests.test_engine import LAYERS, cut


def trained(ranks: Ranks, sizes: list[int]) -> list[bytes]:
    """Take three steps and look at the images once more; return everything that came of it."""
    rng = np.random.default_rng(5)
    images = rng.normal(size=(2, 6, 5, sum(sizes))).astype(np.float32), rng.integers(0, 3, sum(sizes))
    run = run_of(len(sizes), ranks)
    mine = cut(*images, sizes)[run.start : run.stop]
    network = Network((2, 6, 5), LAYERS)
    params, state = network.initial_parameters(3), network.initial_state()
    found: list[bytes] = []
    with Engine(network, CrossEntropy(), threads=2, seed=7, ranks=ranks) as engine:
        for step in range(3):
            result = engine.step(params, state, mine, step)
            params.vector -= np.float32(0.05) * result.gradient.vector
            state = result.state
            found += [result.losses.tobytes(), str(result.correct).encode(), str(result.loss).encode()]
        seen = engine.infer(params, state, mine)
    running = [array.tobytes() for tensors in state.values() for array in tensors.values()]
    return [*found, *running, params.vector.tobytes(), seen.logits.tobytes(), seen.losses.tobytes()]


@pytest.mark.parametrize("sizes", [[4] * 9, [4, 4, 3], [5]], ids=["nine", "three", "one"])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_every_rank_gets_what_one_process_gets(size: int, sizes: list[int]) -> None:
    assert on_ranks(size, lambda ranks: trained(ranks, sizes)) == [trained(ALONE, sizes)] * size


def test_texts_of_any_length_reach_every_rank() -> None:
    texts = ["", "Kätzchen", "\udcff", ""]
    assert on_ranks(4, lambda ranks: gather_texts(texts[ranks.rank], ranks)) == [texts] * 4
    assert gather_texts("alone", ALONE) == ["alone"]
