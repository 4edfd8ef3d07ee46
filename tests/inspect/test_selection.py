import pytest

from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.images import Images
from cnnbp.inspect.selection import choose_steps
from cnnbp.optimizers import SGD
from tests.inspect.lecture import X, Y, lecture_model

INSPECTION = inspect_batch(lecture_model(), Images(X, Y, list("abcd"), ["no", "yes"], [2, 2], "here"), SGD())


def test_without_a_choice_it_is_everything_and_the_image_with_the_largest_loss():
    selection = choose_steps(INSPECTION)
    assert {"X", "W1", "Z1", "∂L/∂W1", "∂A2/∂Z2", "L"} <= selection.symbols
    assert selection.image == INSPECTION.images[0].index


@pytest.mark.parametrize(
    ("typed", "symbol"),
    [
        ("dW2", "∂L/∂W2"),
        ("dL/dW2", "∂L/∂W2"),
        ("∂L/∂W2", "∂L/∂W2"),
        ("W2", "W2"),
        ("dA2/dZ2", "∂A2/∂Z2"),
        ("df", "∂L/∂f"),
    ],
)
def test_a_tensor_is_named_as_one_types_it(typed, symbol):
    assert choose_steps(INSPECTION, tensors=[typed]).symbols == {symbol}


def test_a_layer_is_all_that_it_reads_and_writes():
    assert choose_steps(INSPECTION, layers=["maxpool2d1"]).symbols == {"A1", "F", "∂L/∂F", "∂L/∂A1"}
    found = choose_steps(INSPECTION, layers=["conv2d1"], tensors=["L"]).symbols
    assert found == {"X", "W1", "b1", "Z1", "∂L/∂X", "∂L/∂W1", "∂L/∂b1", "∂L/∂Z1", "L"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensors": ["dW3"]}, "no tensor 'dW3'; did you mean \"dW2\""),
        ({"layers": ["conv1"]}, "no layer 'conv1'; did you mean \"conv2d1\""),
        ({"image": 5}, "--image 5: the batch has 4"),
        ({"channel": 1}, "--filter 1: of what is shown there is 1 map or filter, 0"),
        ({"tensors": ["L"], "channel": 1}, "--filter 1: what is shown has no maps or filters"),
    ],
)
def test_what_is_not_there_is_an_error(options, message):
    with pytest.raises(ConfigError) as error:
        choose_steps(INSPECTION, **options)
    assert message in str(error.value)
