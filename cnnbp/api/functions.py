"""What the commands do with a configuration, as functions of arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cnnbp import config as configuration
from cnnbp.api import given
from cnnbp.api.backpropagation import Backpropagation, backpropagated
from cnnbp.api.given import Layout
from cnnbp.api.run import Run
from cnnbp.arrays import Array
from cnnbp.config import Config
from cnnbp.data.inventory import Inventory, take_inventory
from cnnbp.engine import available_cores
from cnnbp.errors import ConfigError, DataError
from cnnbp.gradcheck import GradcheckReport, Training, check_network
from cnnbp.inspect.costs import NetworkShapes, network_shapes, with_batch
from cnnbp.inspect.examine import Inspection, inspect_batch, is_small
from cnnbp.inspect.images import Images, batch_images, class_names, random_images
from cnnbp.inspect.memory import step_memory
from cnnbp.inspect.record import Model
from cnnbp.parameters import Parameters

_READABLE = 4  # images whose numbers can be read one by one


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file, with overrides as on the command line. Raises ConfigError with every problem at its place.

    Python files that it imports are run.

    >>> config = load_config("configs/lecture.yaml", ["train.epochs=2"])
    >>> config.train.epochs
    2
    >>> [(node.name, node.output_shape) for node in config.network.nodes][:2]
    [('conv1', (1, 4, 4)), ('relu1', (1, 4, 4))]
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides are a list of texts, as [{overrides!r}]")
    return configuration.load_config(Path(path), overrides, may_import=True)


def backpropagate(
    config: Config, x: ArrayLike, y: ArrayLike, parameters: Parameters | None = None, *, layout: Layout = "chwm"
) -> Backpropagation:
    """Run images x of the classes y (M,) forward and backward, with dropout off.

    x (C, H, W, M), or as `layout` says, are floats as the network reads them: nothing is normalised. Without
    `parameters` they are those that training would start with. Batch norm uses the batch's own statistics. Raises
    ShapeError and DataError for arrays that do not fit.

    >>> import numpy as np
    >>> config = load_config("configs/lecture.yaml")
    >>> batch = backpropagate(config, np.ones((1, 6, 6, 3)), [0, 1, 1])
    >>> batch.values["conv1"].shape, batch.gradient["conv1"]["W"].shape
    ((1, 4, 4, 3), (1, 1, 3, 3))
    """
    images = _images(config, x, y, layout)
    return backpropagated(_model(config, images, parameters), images.x, images.labels)


def check_gradients(
    config: Config,
    parameters: Parameters | None = None,
    *,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    layout: Layout = "chwm",
    images: int = 3,
    entries: int | None = None,
) -> GradcheckReport:
    """Compare every layer's and the network's analytic gradients with numeric ones, and training's step with them.

    The batch is x, as `backpropagate` takes it, of the classes y; without, seeded random numbers for so many `images`.
    At most `entries` of each tensor are checked, None: what takes a second or two. Raises ConfigError, ShapeError and
    DataError for what does not fit; a wrong gradient is a verdict.

    >>> check_gradients(load_config("configs/lecture.yaml")).verdict
    'pass'
    """
    if entries is not None:
        given.number(entries, "entries")
    count = given.number(images, "images")
    batch = _batch(config, x, y, layout) or random_images(given.checked_config(config), count)
    model = _model(config, batch, parameters)
    return check_network(
        model.network,
        model.loss,
        model.params,
        model.state,
        batch.x,
        batch.labels,
        entries=entries,
        training=Training.of(config.network, config.train.batch_size),
        seed=config.seed,
    )


def shapes(config: Config, batch: int | None = None) -> NetworkShapes:
    """Return every tensor's shape and cost, as `cnnbp shapes` draws them.

    With a `batch` of M images, the memory of a training step on it is measured, too. Raises ConfigError for a batch
    that is no number of images, and where the last layer does not suit the loss; ShapeError.

    >>> [layer.output_shape for layer in shapes(load_config("configs/lecture.yaml")).layers][:2]
    [(1, 4, 4), (1, 4, 4)]
    """
    given.checked_config(config)
    size = config.train.batch_size if batch is None else given.number(batch, "batch")
    result = network_shapes(config.network, config.loss, size, config.train.planner)
    if batch is None:
        return result
    memory = step_memory(config.network, config.loss, config.train.optimizer, batch, available_cores())
    return with_batch(result, memory)


def grads(
    source: Config | Run,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    layout: Layout = "chwm",
    images: int | None = None,
    dropout: bool = False,
) -> Inspection:
    """Follow the chain rule through one batch, as `cnnbp grads` draws it: each value, gradient and update.

    The batch is x of the classes y: for a configuration as `backpropagate` takes it, for a run as its `predict` does.
    Without x, so many `images` are drawn from the folder, or are random numbers where the configuration has none.
    Raises ConfigError, ShapeError and DataError for what does not fit or cannot be read.

    >>> grads(load_config("configs/lecture.yaml", ["data.path=datasets/strokes"]), images=2).record.loss > 0
    True
    """
    if isinstance(source, Run):
        arrays = given.pair(x, y)
        batch = source.batch(*arrays, layout) if arrays else None
        config, model = source.config, source.model
    else:
        batch = _batch(source, x, y, layout)
        config, model = given.checked_config(source), None
    if batch is None:
        count = _READABLE if is_small(config.network) else config.train.batch_size
        count = count if images is None else given.number(images, "images")
        trained = source.checkpoint if isinstance(source, Run) else None
        batch = batch_images(config, count, trained=trained)
    model = model or _model(config, batch, None)
    return inspect_batch(model, batch, config.train.optimizer, dropout=dropout, seed=config.seed)


def inventory(folder: str | Path, *, threads: int | None = None) -> Inventory:
    """Decode every image below a folder and return what is in it, as `cnnbp data` draws it.

    `problems` says why training would refuse it. Raises DataError for a folder that has no classes.

    >>> inventory("datasets/strokes").classes
    ('horizontal', 'vertical')
    """
    return take_inventory(Path(folder), threads=threads or available_cores())


def _batch(config: Config, x: ArrayLike | None, y: ArrayLike | None, layout: Layout) -> Images | None:
    arrays = given.pair(x, y)
    return _images(config, *arrays, layout) if arrays else None


def _images(config: Config, x: ArrayLike, y: ArrayLike, layout: Layout) -> Images:
    """Return a batch that is given as arrays."""
    network = given.checked_config(config).network
    batch = given.images(x, network.input_shape, layout)
    if batch.dtype == np.uint8:
        raise DataError("x is uint8, pixels from 0 to 255: give floats as the network reads them, as x/255")
    classes = class_names(config)
    labels = given.labels(y, batch.shape[-1], len(classes))
    names = [f"x[{m}]" for m in range(len(labels))]
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return Images(_contiguous(batch), labels, names, classes, counts, "arrays")


def _contiguous(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float64)


def _model(config: Config, images: Images, parameters: Parameters | None) -> Model:
    network = config.network
    if parameters is None:
        parameters = network.initial_parameters(config.seed)
    theta = given.parameters_of(network, parameters)
    return Model(network, config.loss.balanced(images.class_counts), theta, network.initial_state())
