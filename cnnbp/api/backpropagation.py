"""One batch forward and backward, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

from cnnbp.arrays import Array, format_shape
from cnnbp.inspect.record import Model, record_batch
from cnnbp.names import Named
from cnnbp.network import INPUT
from cnnbp.parameters import Parameters


@dataclass(frozen=True, eq=False, repr=False)
class Backpropagation:
    """One batch of M images, forward and backward, in float64.

    `values` and `value_gradients` are each layer's output (…, M) and the loss's gradient by it, under the layer's
    name; `input` stands for the images. `gradient` holds ∂L/∂θ: `gradient["conv1"]["W"]`. `losses` (M,) are the
    images' own, `loss` is their mean.
    """

    loss: float
    losses: Array
    values: Mapping[str, Array]
    value_gradients: Mapping[str, Array]
    gradient: Parameters

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {format_shape(value.shape)}" for name, value in self.values.items())
        return f"<Backpropagation loss {self.loss:.4g}; {values}>"

    def _repr_html_(self) -> str:
        from cnnbp.report.notebook import tensors_html  # only a notebook needs it

        title = f"loss {self.loss:.6g}, the mean of {len(self.losses)} images"
        tables = {"Values": self.values, "∂L/∂value": self.value_gradients, "∂L/∂θ": dict(self.gradient.named())}
        return tensors_html(title, tables)


def backpropagated(model: Model, x: Array, labels: Array) -> Backpropagation:
    """Run images x (C, H, W, M), as the network reads them, forward and backward, with dropout off."""
    record = record_batch(model, x, labels)
    places = {"input": INPUT, **{node.name: node.index for node in model.network.nodes}}
    values, gradients = record.tape.values, record.tape.gradients
    return Backpropagation(
        record.loss,
        record.losses,
        Named("layer", {name: values[place] for name, place in places.items()}),
        Named("layer", {name: gradients[place] for name, place in places.items()}),
        record.gradient,
    )
