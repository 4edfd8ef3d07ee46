import numpy as np
import pytest

from cnnbp.data.split import in_turn, stratified_fold, stratified_split

LABELS = np.repeat([0, 1, 2, 3], [50, 10, 2, 1])


def test_every_image_is_on_exactly_one_side_in_sorted_order():
    train, validation = stratified_split(LABELS, 0.2, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(LABELS)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()


def test_each_class_gives_its_fraction_and_keeps_at_least_one_for_training():
    train, validation = stratified_split(LABELS, 0.2, seed=0)
    np.testing.assert_array_equal(np.bincount(LABELS[validation], minlength=4), [10, 2, 1, 0])
    np.testing.assert_array_equal(np.bincount(LABELS[train]), [40, 8, 1, 1])


@pytest.mark.parametrize("fraction", [0.0, 0.99])
def test_extreme_fractions_leave_no_class_untrained(fraction):
    train, validation = stratified_split(LABELS, fraction, seed=0)
    assert set(LABELS[train]) == {0, 1, 2, 3}
    assert (len(validation) == 0) == (fraction == 0)


def test_the_seed_decides_which_images_go():
    first, again, other = (stratified_split(LABELS, 0.2, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_class_is_split_the_same_whatever_the_others_hold():
    alone = stratified_split(LABELS[:50], 0.2, seed=0)[1]
    np.testing.assert_array_equal(alone, [i for i in stratified_split(LABELS, 0.2, seed=0)[1] if i < 50])


def test_each_image_validates_in_one_fold_whose_sizes_are_those_of_scikit_learn():
    """StratifiedKFold(4, shuffle=True) of scikit-learn 1.9.1 gives these counts of each class for these labels."""
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [17, 8, 5]))
    folds = [stratified_fold(labels, (k, 4), seed=0) for k in (1, 2, 3, 4)]
    np.testing.assert_array_equal(np.sort(np.concatenate([validation for _, validation in folds])), np.arange(30))
    for train, validation in folds:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(30))
    counts = [np.bincount(labels[validation]).tolist() for _, validation in folds]
    assert counts == [[5, 2, 1], [4, 2, 2], [4, 2, 1], [4, 2, 1]]


def test_the_seed_decides_on_the_folds():
    first, again, other = (stratified_fold(LABELS, (1, 2), seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_classes_take_turns_as_long_as_they_have_images():
    labels = np.array([0, 0, 0, 1, 2, 2])
    assert in_turn(labels).tolist() == [0, 3, 4, 1, 5, 2]
