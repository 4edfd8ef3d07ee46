import pytest

from cnnbp.report.formatting import format_bytes, format_count, format_number, natural_order


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (847, "847"),
        (999, "999"),
        (1000, "1 k"),
        (1234, "1.23 k"),
        (45_600_000, "45.6 M"),
        (10**19, "10000 P"),
    ],
)
def test_a_count_has_three_digits_and_a_prefix(count, text):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (1020 << 10, "1020 KiB")]
)
def test_memory_is_counted_in_powers_of_1024(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12341, "0.1234"), (12.3456, "12.35"), (1.2344e-5, "1.234e-05"), (0.0, "0")]
)
def test_a_number_has_four_digits(value, text):
    assert format_number(value) == text


def test_names_with_numbers_are_in_natural_order():
    assert sorted(["10", "2", "b", "1", "a12", "a3", "²"], key=natural_order) == ["1", "2", "10", "a3", "a12", "b", "²"]
