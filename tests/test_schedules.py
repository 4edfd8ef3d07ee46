import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from cnnbp.schedules import SCHEDULES, Constant, Cosine, Plateau, Schedule, ScheduleSpec, Step, Warmup

PER_EPOCH, EPOCHS = 4, 5


def factors(schedule: Schedule, epochs: int = EPOCHS) -> list[float]:
    return [schedule.factor(step, PER_EPOCH, epochs) for step in range(PER_EPOCH * epochs)]


def test_constant_stays():
    assert factors(Constant()) == [1.0] * 20


def test_warmup_rises_in_equal_steps_and_stays():
    assert factors(Warmup(warmup=1)) == [0.25, 0.5, 0.75] + [1.0] * 17
    assert Warmup() == Warmup(warmup=1)


def test_warmup_may_last_part_of_an_epoch():
    assert factors(Constant(warmup=0.5)) == [0.5] + [1.0] * 19


def test_step_drops_after_every_so_many_epochs():
    expected = [1.0] * 8 + [0.1] * 8 + [0.01] * 4
    assert factors(Step(every=2)) == pytest.approx(expected)


def test_step_counts_its_epochs_from_the_end_of_the_warmup():
    expected = [0.25, 0.5, 0.75, 1.0] + [1.0] * 8 + [0.5] * 8
    assert factors(Step(every=2, gamma=0.5, warmup=1)) == pytest.approx(expected)


def test_cosine_goes_from_one_through_the_middle_towards_its_floor():
    schedule = Cosine(floor=0.2)
    assert schedule.factor(0, PER_EPOCH, EPOCHS) == 1
    assert schedule.factor(10, PER_EPOCH, EPOCHS) == pytest.approx(0.6)
    assert schedule.factor(20, PER_EPOCH, EPOCHS) == pytest.approx(0.2)
    assert schedule.factor(1000, PER_EPOCH, EPOCHS) == pytest.approx(0.2)


def test_cosine_stretches_with_the_epochs():
    assert Cosine().factor(10, PER_EPOCH, 10) == Cosine().factor(5, PER_EPOCH, 5)


def test_plateau_drops_when_the_loss_has_not_improved_for_more_than_patience_epochs():
    schedule = Plateau(patience=1, gamma=0.5)
    losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.93, 0.5, 0.6]
    seen = [schedule.factor(0, PER_EPOCH, EPOCHS, losses[:epochs]) for epochs in range(len(losses) + 1)]
    assert seen == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_wants_the_best_to_be_beaten_by_its_threshold():
    losses = [1.0, 0.95]
    assert Plateau(patience=0, threshold=0.01).factor(0, 1, 9, losses) == 1
    assert Plateau(patience=0, threshold=0.1).factor(0, 1, 9, losses) == 0.1


@given(
    schedule=st.sampled_from([Constant(), Warmup(), Step(every=2), Cosine(), Cosine(floor=0.1), Plateau(patience=1)]),
    warmup=st.floats(0, 6),
    step=st.integers(0, 200),
    losses=st.lists(st.floats(0, 10), max_size=8),
)
def test_every_factor_lies_between_zero_and_one(schedule, warmup, step, losses):
    warmed = schedule.model_copy(update={"warmup": warmup})
    assert 0 <= warmed.factor(step, PER_EPOCH, EPOCHS, losses) <= 1


@given(st.sampled_from([Constant(), Step(every=2), Cosine(), Plateau()]), st.integers(1, 3))
def test_no_step_of_a_warmup_stands_still(schedule, warmup):
    rates = factors(schedule.model_copy(update={"warmup": float(warmup)}))[: warmup * PER_EPOCH]
    assert rates == sorted(set(rates))
    assert rates[0] > 0


class Holder(BaseModel):
    schedule: ScheduleSpec


def test_schedules_are_spelled_by_their_type():
    assert Holder(schedule="constant").schedule == Constant()
    assert Holder(schedule={"cosine": {"warmup": 1}}).schedule == Cosine(warmup=1)
    assert {schedule.type for schedule in SCHEDULES} == {"constant", "warmup", "step", "cosine", "plateau"}


@pytest.mark.parametrize(
    "spelling",
    ["step", {"step": {"every": 0}}, {"cosine": {"floor": 2}}, {"plateau": {"gamma": 0}}, {"constant": {"warmup": -1}}],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(spelling):
    with pytest.raises(ValidationError):
        Holder(schedule=spelling)
