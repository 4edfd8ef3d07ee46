import numpy as np
import pytest

from cnnbp.fast.kernels.blocks import BLOCK_BYTES, blocks_of
from cnnbp.layers import Window

CASES = [  # phases, kernel, pad, H, W, channels, M
    (1, 3, 1, 32, 32, 32, 16),
    (2, 3, 1, 64, 32, 16, 8),
    (2, 5, 2, 9, 3, 64, 32),
    (1, 5, 4, 3, 3, 32, 64),
    (2, 3, 0, 8, 4, 1, 1),
]


def cut(phases, kernel, pad, H, W, channels, M):
    window = Window((kernel, kernel), (1, 1), ((pad, pad), (pad, pad)))
    out = (phases, H + 2 * pad - kernel + 1, W + (2 * pad - kernel + 1) // phases)
    return out, blocks_of(out, (phases, H, W), window, channels * kernel * M * 4, M)


@pytest.mark.parametrize("case", CASES)
def test_the_blocks_cover_the_output_once(case):
    out, blocks = cut(*case)
    covered = np.zeros(out, int)
    for block in blocks:
        covered[block.phase, block.rows, block.columns] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("case", CASES)
def test_copies_and_margins_fill_every_slab_once(case):
    _, kernel, *_ = case
    for block in cut(*case)[1]:
        slabs = np.zeros((block.slabs, 1, kernel, block.width), int)
        for place in (*block.margins, *(place for place, _ in block.copies)):
            slabs[place] += 1
        assert (slabs == 1).all()


@pytest.mark.parametrize("case", CASES)
def test_no_block_is_larger_than_the_first_and_the_first_fits_the_cache_unless_it_is_a_single_row(case):
    *_, channels, M = case
    blocks = cut(*case)[1]
    sizes = [block.slabs * block.width for block in blocks]
    assert max(sizes) == sizes[0]
    one_row = blocks[0].rows.stop == 1
    assert one_row or sizes[0] * channels * case[1] * M * 4 <= BLOCK_BYTES
