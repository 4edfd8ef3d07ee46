"""Files with a flipped bit."""

import random

from cnnbp.errors import CheckpointError


def read_with_flipped_bits(path, read, times, seed):
    """Flip a bit of the file, `times` times, and yield what `read` still gives; more than half must be refused."""
    whole, rng, refused = path.read_bytes(), random.Random(seed), 0
    for _ in range(times):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            found = read(path)
        except CheckpointError:
            refused += 1
        else:
            yield found
    assert refused > times / 2
