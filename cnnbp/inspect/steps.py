"""The chain rule of one recorded batch, step by step, with the symbols of the formulas."""

from collections.abc import Sequence

import numpy as np

from cnnbp.inspect.formulas import layer_formula
from cnnbp.inspect.output import derive_output, targets
from cnnbp.inspect.record import Record
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.symbols import Symbols, slope
from cnnbp.network import INPUT, Node
from cnnbp.parameters import Parameters


def forward_steps(record: Record, symbols: Symbols) -> list[Step]:
    """Return X, every node's output, what the loss makes of the last one, Y, and each image's loss."""
    nodes, values = record.model.network.nodes, record.tape.values
    output = derive_output(record, symbols.values[nodes[-1].index], symbols.output)
    return [
        Step(symbols.values[INPUT], "the images", "", values[INPUT]),
        *(_value_step(record, node, symbols) for node in nodes),
        *output.activation,
        Step("Y", "what the output should be", "", targets(record)),
        Step("L", output.loss.text, "", record.losses, reads=output.loss.reads),
    ]


def _value_step(record: Record, node: Node, symbols: Symbols) -> Step:
    line = layer_formula(node, symbols).y
    value = record.tape.values[node.index]
    return Step(symbols.values[node.index], line.text, node.name, value, reads=line.reads)


def backward_steps(record: Record, symbols: Symbols, images: Sequence[Parameters] | None = None) -> list[Step]:
    """Return the gradients in the order in which they are found, from the output's and the last layer's to ∂L/∂X.

    `images` are the images' shares of ∂L/∂θ, where they are known.
    """
    nodes, gradients = record.model.network.nodes, record.tape.gradients
    z = symbols.values[nodes[-1].index]
    output = derive_output(record, z, symbols.output)
    dz = Step(slope(z), output.dz.text, "", gradients[nodes[-1].index], reads=output.dz.reads)
    steps = [*output.factors, dz]
    for node in reversed(nodes):
        steps += _parameter_steps(record, node, symbols, images)
        value = node.index - 1  # all its readers have had their turn
        readers = record.model.network.readers[value]
        lines = [layer_formula(reader, symbols).dx for reader in readers]
        formula = " + ".join(line.text for line in lines)
        layers = ", ".join(reader.name for reader in readers)
        reads = tuple(dict.fromkeys(symbol for line in lines for symbol in line.reads))
        steps.append(Step(slope(symbols.values[value]), formula, layers, gradients[value], reads=reads))
    return steps


def _parameter_steps(
    record: Record, node: Node, symbols: Symbols, images: Sequence[Parameters] | None
) -> list[ParameterStep]:
    return [
        ParameterStep(
            slope(symbols.parameters[node.name][name]),
            line.text,
            node.name,
            record.gradient[node.name][name],
            np.stack([image[node.name][name] for image in images], axis=-1) if images else None,
            reads=line.reads,
        )
        for name, line in layer_formula(node, symbols).parameters.items()
    ]
