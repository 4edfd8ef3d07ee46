"""One layer's tensors from elsewhere: every layer is right where it is, and every bug of the catalogue is said."""

import json

import numpy as np
import pytest

from cnnbp.config import parse_layer
from cnnbp.errors import ConfigError, DataError
from cnnbp.gradcheck.bugs import LAYER_BUGS
from cnnbp.gradcheck.bugs.planting import broken_layer
from cnnbp.network import Node
from cnnbp.porting.dump import judge
from cnnbp.porting.layouts import Layout
from cnnbp.porting.steps import LayerStep
from tests.layers.contract import evenly
from tests.porting.references import single
from tests.samples import first_and_last, label, spelled

MAPS = (4, 7, 6)
M = 3


def dump(spelling, shape=MAPS, layout=Layout.CHWM, bug=None):
    """Return a layer and its tensors, as a program would write them that makes no mistake, or one."""
    layer, rng = parse_layer(spelling, "--like"), np.random.default_rng(0)
    node = Node(0, layer, (-1,), (shape,), layer.output_shape(shape))
    x = rng.permutation(evenly(int(np.prod(shape)) * M)).reshape(*shape, M)
    params = {name: rng.normal(0.3, 1, spec.shape) for name, spec in node.parameter_specs.items()}
    dy = rng.normal(size=(*node.output_shape, M))
    mask = rng.random(x.shape) > 0.4 if layer.type == "dropout" else None
    y, cache = LayerStep(node, params, (x,), dy, mask).forward()
    if bug:
        broken = broken_layer(layer, bug.mistake)
        step = LayerStep(node, params, (x,), dy, mask)
        _, cache = broken.forward(params, x, step.context) if mask is None else (None, _trace(broken, x, y, cache))
        gradients = step.named(*broken.backward(params, cache, dy, step.context))
    else:
        gradients = LayerStep(node, params, (x,), dy, mask).gradients()
    arrays = {"x": x, **params, "y": y, "dy": dy, **gradients} | ({} if mask is None else {"mask": mask})
    if layout is Layout.NCHW:
        batched = {"x", "y", "dy", "dx", "mask"}
        arrays = {name: np.moveaxis(array, -1, 0) if name in batched else array for name, array in arrays.items()}
    return node, arrays


def _trace(broken, x, y, mask):
    """Return what a broken layer keeps whose mask is not drawn."""
    _, trace = broken.forward({}, x, LayerStep(Node(0, broken, (-1,), (x.shape[:-1],), ()), {}, (x,)).context)
    return type(trace)(x, y, mask)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("way", first_and_last(), ids=label)
def test_every_layer_of_the_list_is_judged_right_in_both_layouts_and_precisions(way, layout):
    node, arrays = dump(json.dumps(spelled(way[0])), way[1], layout)
    for found, precision in ((arrays, "float64"), (single(arrays), "float32")):
        report = judge(node.layer, found, layout)
        assert (report.verdict, report.tolerance.precision) == ("pass", precision)
        assert [tensor.name for tensor in report.tensors] == [name for name in ("y", "dx") if name in arrays] + [
            f"d{name}" for name in node.parameter_specs
        ]
        assert not report.missing
        assert not report.unknown


@pytest.mark.parametrize("way", first_and_last(), ids=label)
def test_every_bug_that_fits_is_found_and_said(way):
    spelling, shape = json.dumps(spelled(way[0])), way[1]
    node, _ = dump(spelling, shape)
    for bug in LAYER_BUGS:
        if not bug.fits(node) or bug.name in ("dX-stale-W", "accumulates", "cache-changed"):
            continue
        _, arrays = dump(spelling, shape, Layout.NCHW, bug)
        _, right = dump(spelling, shape, Layout.NCHW)
        changes = any(not np.allclose(arrays[name], right[name], rtol=1e-9, atol=0) for name in arrays)
        report = judge(node.layer, arrays, Layout.NCHW)
        assert report.verdict == ("fail" if changes else "pass"), bug.name
        if changes:
            assert report.first.hint, bug.name
            assert all(np.isfinite(tensor.difference) for tensor in report.tensors)


def test_a_mistake_at_the_border_alone_is_said():
    node, arrays = dump("conv2d: {filters: 4, kernel: [3, 2], pad: same}")
    arrays["dx"] = arrays["dx"].copy()
    arrays["dx"][:, 0] *= 1.5
    arrays["dx"][:, :, -1] -= 0.1
    assert "border" in judge(node.layer, arrays).first.hint


def test_some_of_the_tensors_are_enough():
    node, arrays = dump("conv2d: {filters: 4, kernel: 3, stride: 2, groups: 2}")
    forward = {name: arrays[name] for name in ("x", "W", "b", "y")}
    report = judge(node.layer, forward)
    assert (report.verdict, [tensor.name for tensor in report.tensors]) == ("pass", ["y"])
    backward = {name: arrays[name] for name in ("x", "W", "b", "dy", "dW")}
    report = judge(node.layer, backward)
    assert (report.verdict, report.missing) == ("pass", ("y", "dx", "db"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": None}, "a dump holds x, with an axis for the images; there is W, b"),
        ({"x": np.zeros(3)}, "there is x of shape 3"),
        ({"W": None}, "the dump has no W, which conv2d reads"),
        ({"b": None}, "the dump has no b, which conv2d reads; of a layer without one say bias: false"),
        ({"dy": None}, "the dump has no dy, which conv2d reads backward"),
        ({"dy": np.zeros((4, 3, 2, 4))}, r"dy has shape 4×3×2×4, it should be 4×3×2×3 \(channel, row, column, image\)"),
        ({"W": np.zeros((3, 3, 2, 4))}, r"W has shape 3×3×2×4, it should be 4×2×3×3 \(filter, channel, row, column\)"),
        ({"W": np.full((4, 2, 3, 3), np.nan)}, "W holds numbers that are not real or not finite"),
        ({"y": None, "dx": None, "dW": None, "db": None}, "there is nothing to judge: y, or dy and some of dx, dW, db"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_told_in_a_sentence(change, said):
    node, arrays = dump("conv2d: {filters: 4, kernel: 3, stride: 2, groups: 2}")
    found = {name: array for name, array in (arrays | change).items() if array is not None}
    with pytest.raises(DataError, match=said):
        judge(node.layer, found)


def test_an_unknown_name_is_told_with_what_was_meant():
    node, arrays = dump("dense: {units: 5}", (6,))
    arrays["dw"] = arrays.pop("dW")
    report = judge(node.layer, arrays)
    assert (report.unknown, report.missing) == ({"dw": "dW"}, ("dW",))


def test_an_input_that_the_layer_cannot_take_is_refused_with_the_arithmetic():
    node, arrays = dump("maxpool2d: {kernel: 3, stride: 2}")
    with pytest.raises(ConfigError, match='maxpool2d "maxpool2d": kernel 9×9'):
        judge(node.layer.model_copy(update={"kernel": (9, 9)}), arrays)


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("conv2d: {filter: 4, kernel: 3}", 'did you mean "filters"?'),
        ("convd2: {filters: 4}", 'unknown layer "convd2"'),
        ("{conv2d: {filters: 4, kernel: 3}", "not YAML"),
        ("residual: {layers: [relu]}", "a residual block is several layers"),
        ("conv2d: {filters: yes, kernel: 3}", 'filters must be a whole number, not "yes"'),
    ],
)
def test_a_misspelled_layer_is_told_at_its_place(spelling, said):
    with pytest.raises(ConfigError) as caught:
        parse_layer(spelling, "--like")
    assert said in str(caught.value)
    assert "--like" in str(caught.value)
