import pytest

from cnnbp.errors import CnnbpError
from cnnbp.names import Named, did_you_mean


def test_the_closest_word_is_suggested_and_else_all_are_named():
    assert did_you_mean("Filter", ["filters", "kernel"]) == 'did you mean "filters"?'
    assert did_you_mean("CONV1A.W", ["Conv1a.W", "dense1.W"]) == 'did you mean "Conv1a.W"?'
    assert did_you_mean("conv1.w", ["conv1.b", "conv1.W"]) == 'did you mean "conv1.W"?'
    assert did_you_mean("CONVX", ["convx", "convX", "CONVx"]) == 'did you mean "CONVx"?'
    assert did_you_mean("zzz", ["filters", "kernel"]) == "known: filters, kernel"
    assert did_you_mean("filters" * 10**5, ["filters"]) == "known: filters"


def test_a_name_that_is_not_there_is_a_key_error_with_the_one_that_was_meant():
    layers = Named("layer", {"conv1": 1, "dense1": 2})
    with pytest.raises(KeyError, match=r'^no layer \'conv9\': did you mean "conv1"\?$') as caught:
        _ = layers["conv9"]
    assert isinstance(caught.value, CnnbpError)
    with pytest.raises(KeyError, match="no layer 3: known: conv1, dense1"):
        _ = layers[3]
    with pytest.raises(KeyError, match="no layer 'conv1': there is none"):
        _ = Named("layer", {})["conv1"]


def test_all_else_is_a_dict():
    layers = Named("layer", {"conv1": 1})
    assert layers == {"conv1": 1}
    assert layers.get("conv9") is None
    assert "conv9" not in layers
