from cnnbp.inspect.path import Factor, Fork
from cnnbp.report.paths import path_lines


def lines(path, width=80):
    return [line.plain for line in path_lines("∂L/∂W1 = ", path, width)]


def test_each_factor_has_its_shape_below_it():
    above, below = lines((Factor("L", "A2", 1, 1), Factor("A2", "Z2", 1, 10), Factor("Z2", "W1", 10, 100)))
    assert above == "∂L/∂W1 = ∂L/∂A2 · ∂A2/∂Z2 · ∂Z2/∂W1"
    for factor, shape in (("∂L/∂A2", "1×1"), ("∂A2/∂Z2", "1×10"), ("∂Z2/∂W1", "10×100")):
        assert above.index(factor) == below.index(shape)


def test_two_ways_stand_in_brackets_and_a_long_product_takes_several_lines():
    fork = Fork(((Factor("R", "A1", 9, 9), Factor("A1", "X", 9, 9)), (Factor("R", "X", 9, 9),)))
    found = lines((Factor("L", "R", 1, 9), fork), width=30)
    assert max(map(len, found)) <= 30
    assert "".join("".join(found[::2]).split()) == "∂L/∂W1=∂L/∂R·(∂R/∂A1·∂A1/∂X+∂R/∂X)"
