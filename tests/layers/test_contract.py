"""Every layer is under the contract, in each way that it works (`tests/samples.py`)."""

from tests.layers.contract import ImageByImageContract, LayerContract, case, holds_for
from tests.samples import SAMPLES, Samples


def cases(samples: Samples, *, training: bool = True):
    return [case(layer, *[shape] * samples.inputs, training=training) for layer, shape in samples.ways]


def mixes_images(samples: Samples) -> bool:
    """Whether an image's output in training depends on the others, or on its place among them."""
    return samples.is_random or samples.has_state


@holds_for(*(each for samples in SAMPLES.values() if not mixes_images(samples) for each in cases(samples)))
class TestEachLayerThatLooksAtEachImageAlone(ImageByImageContract): ...


@holds_for(*(each for samples in SAMPLES.values() if mixes_images(samples) for each in cases(samples)))
class TestEachLayerThatMixesImages(LayerContract): ...


@holds_for(*(each for samples in SAMPLES.values() if mixes_images(samples) for each in cases(samples, training=False)))
class TestEachOfThemAfterTraining(ImageByImageContract): ...
