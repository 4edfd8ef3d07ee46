"""What a station says in a sentence, as one would at the blackboard."""

from collections.abc import Mapping, Sequence

_FORWARD: Mapping[str, str] = {
    "conv2d": "A filter slides over its input. At each place its numbers meet those below: multiply, and add up.",
    "dense": "Each output weighs all inputs of an image: a row of weights times the image's column.",
    "maxpool2d": "Of each window the largest number stays; the others are forgotten.",
    "avgpool2d": "Of each window the mean stays.",
    "global_avgpool2d": "Of each channel the mean over all its places stays.",
    "relu": "What is negative becomes 0.",
    "batchnorm": "Each channel gets mean 0 and variance 1 over all images and places; then γ scales it and β moves it.",
    "groupnorm": "Each group of channels gets mean 0 and variance 1 in each image; then γ scales it and β moves it.",
    "flatten": "The same numbers in one column for each image.",
    "dropout": "A share of the numbers is dropped in training. Here nothing is dropped.",
    "add": "Two ways meet: their numbers are added.",
}
_BACKWARD: Mapping[str, str] = {
    "conv2d": "A number was read at several places, each time with another weight of the filter. What comes back from"
    " all of them is added up: a convolution with the filter turned by 180°.",
    "dense": "Each input was weighed by every output; their gradients come back with the same weights.",
    "maxpool2d": "Only the largest number of a window could move L: it gets the window's gradient, the others get 0.",
    "avgpool2d": "Each number of a window moved its mean alike: the gradient is shared evenly.",
    "global_avgpool2d": "Each place moved the mean alike: the gradient is shared evenly over the channel.",
    "relu": "What was positive passes the gradient on. Where it was cut off to 0, nothing comes through.",
    "batchnorm": "A number moves its own output and, through μ and σ², all others: so two means are taken away.",
    "groupnorm": "A number moves its own output and, through μ and σ², its group: so two means are taken away.",
    "flatten": "The same numbers, back in the form of the maps.",
    "dropout": "What was dropped gets nothing. Here nothing was dropped.",
    "add": "A sum passes its gradient on to both sides unchanged.",
}
_PARAMETER: Mapping[str, str] = {
    "W conv2d": "A weight took part at every place of every image. Its gradient is the sum over all of them: the input"
    " at that place times what came back there.",
    "b conv2d": "A bias was added at every place of every image: its gradient is the sum of what came back.",
    "W dense": "What came back to the output, times the input that the weight weighed; then the sum over the images.",
    "b dense": "A bias was added once for each image: its gradient is the sum of what came back.",
    "γ batchnorm": "γ scaled x̂ at every place: the sum of what came back, times x̂.",
    "β batchnorm": "β was added at every place: the sum of what came back.",
    "γ groupnorm": "γ scaled x̂ at every place of every image: the sum of what came back, times x̂.",
    "β groupnorm": "β was added at every place of every image: the sum of what came back.",
}
_LOSS: Mapping[str, str] = {
    "X": "The images, as the network reads them. Each step (→) is a layer, up to the loss L; then the chain rule leads"
    " back, layer by layer, to the gradient of each weight and each pixel.",
    "L": "How surprised the network is by the truth, and the mean over the images.",
}
_OUTPUT = "The outputs, read as probabilities."
_START = "How much L rises with each of the network's answers."
_SLOPE = "How fast the output's activation rises at this point."
_LOGITS = "The product of both. What makes the first large makes the second small: A − Y is left."


def note_on(symbol: str, row: str, kinds: Sequence[str]) -> str:
    """Return the sentence for a station; several layers have read a value whose gradient is a sum."""
    if len(kinds) > 1:
        return "Several layers read this value: what comes back from each of them is added."
    if row == "parameter":
        letter = symbol.removeprefix("∂L/∂")[0]
        return _PARAMETER.get(f"{letter} {kinds[0]}", "The sum over all places and images where it took part.")
    if kinds:
        others = (
            "A function of each number alone."
            if row == "forward"
            else "What comes back, times the slope at each number."
        )
        return (_FORWARD if row == "forward" else _BACKWARD).get(kinds[0], others)
    if row == "forward":
        return _LOSS.get(symbol, _OUTPUT)
    if not symbol.startswith("∂L"):
        return _SLOPE
    return _START if symbol.startswith("∂L/∂A") else _LOGITS
