"""`cnnbp shapes --json`."""

from typing import Any

from cnnbp.inspect.shapes import LayerShapes, NetworkShapes


def shapes_document(shapes: NetworkShapes) -> dict[str, Any]:
    """Return the shapes as JSON holds them: the batch axis only where it says so, null while M is not known.

    Memory is of one image, or of the batch where M is known; multiply-accumulates are always of one image.
    """
    totals = {
        "parameter_count": shapes.parameter_count,
        "macs": shapes.macs,
        "backward_macs": shapes.backward_macs,
        "kept_bytes": (shapes.batch or 1) * shapes.kept_bytes,
    }
    if shapes.step:
        totals |= {
            "peak_memory_bytes": shapes.step.peak_bytes,
            "micro_batch": shapes.step.micro_batch,
            "threads": shapes.step.threads,
        }
    return {
        "input": shapes.input_shape,
        "batch": shapes.batch,
        "layers": [_layer(layer, shapes.batch) for layer in shapes.layers],
        "loss": {"type": shapes.loss.type, "symbol": shapes.loss.symbol, "output_shape": shapes.loss.output_shape},
        "totals": totals,
    }


def _layer(layer: LayerShapes, batch: int | None) -> dict[str, Any]:
    parameters = {parameter.name: parameter.shape for parameter in layer.parameters}
    return {
        "index": layer.index,
        "name": layer.name,
        "type": layer.type,
        "symbol": layer.symbol,
        "inputs": layer.inputs,
        "output_shape": layer.output_shape,
        "window": layer.window,
        "parameters": parameters,
        "parameter_count": layer.parameter_count,
        "macs": layer.macs,
        "backward_macs": layer.backward_macs,
        "receptive_field": layer.receptive_field,
        "activation_bytes": (batch or 1) * layer.activation_bytes,
        "cache_bytes": (batch or 1) * layer.cache_bytes,
        "gradients": {
            **parameters,
            "output": [*layer.output_shape, batch],
            "per_image": {name: [*shape, batch] for name, shape in parameters.items()},
        },
    }
