"""What the wrong entries look like, and what mistake looks like that.

A hint is a function of its own: it reads a pattern (or tries something with the layer) and says what it sees, or None.
The first that sees something speaks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cnnbp.gradcheck.comparison import Finding, Verdict
from cnnbp.gradcheck.diagnosis import arrangement, factors, places
from cnnbp.gradcheck.diagnosis.loss_hints import LOSS_EXPERIMENTS
from cnnbp.gradcheck.diagnosis.normalization import NORMALIZATION_EXPERIMENTS
from cnnbp.gradcheck.diagnosis.pairs import PAIR_EXPERIMENTS, PairTrial
from cnnbp.gradcheck.diagnosis.pattern import Pattern, Sizes
from cnnbp.gradcheck.diagnosis.reading import pattern_of
from cnnbp.gradcheck.diagnosis.slopes import SLOPE_EXPERIMENTS
from cnnbp.gradcheck.diagnosis.trial import EXPERIMENTS, LossTrial, Trial
from cnnbp.gradcheck.diagnosis.windows import WINDOW_EXPERIMENTS
from cnnbp.gradcheck.foreign.examination import Together as PairTogether

AnyTrial = Trial | LossTrial | PairTrial

__all__ = ["LossTrial", "Pattern", "Sizes", "Trial", "finding_hint", "layer_hint", "pattern_of", "tensor_hint"]

PATTERNS: Sequence[Callable[[Pattern], str | None]] = (
    factors.zero_everywhere,
    factors.cast_to_float32,
    factors.wrong_sign,
    factors.constant_ratio,
    arrangement.flipped,
    arrangement.places_transposed,
    arrangement.channels_swapped,
    arrangement.shifted,
    places.a_single_entry,
    places.only_at_kinks,
    arrangement.another_channels,
    arrangement.out_of_order,
    arrangement.same_along_an_axis,
    factors.integer_multiples,
    factors.ratio_per_channel,
    places.only_one_image,
    places.only_at_the_end,
    places.only_at_the_border,
    places.only_some_channels,
    factors.nothing_where_something,
)


def tensor_hint(pattern: Pattern) -> str | None:
    """Return what the wrong entries of a tensor look like, None where none is or nothing is seen."""
    if not pattern.wrong.any():
        return None
    return next((hint for look in PATTERNS if (hint := look(pattern))), None)


def finding_hint(finding: Finding) -> str | None:
    """Return what a tensor's wrong entries look like, or that they are others than those that were checked."""
    if Verdict.FAIL in finding.comparison.verdicts:
        return tensor_hint(pattern_of(finding))
    if finding.direction is None or finding.direction.verdict != Verdict.FAIL:
        return None
    if isinstance(finding.direction, PairTogether) and len(finding.direction.wrong) > 1:
        places = np.array(np.unravel_index(finding.direction.wrong, finding.claim.theta.shape)).T.tolist()
        shown = ", ".join(map(str, places[:4])) + ", …" * (len(places) > 4)
        return f"wrong where {shown} move together: of tied entries each gets what belongs to one, or nothing"
    return "wrong along a random direction, at entries that the sample missed: --full finds them"


def layer_hint(trial: AnyTrial | None, patterns: Mapping[str, Pattern]) -> str | None:
    """Return what is wrong with each gradient, given the patterns of all by name in order, and which are right.

    Without a trial only the patterns speak: a layer whose backward is no function cannot be tried.
    """
    wrong = {name: pattern for name, pattern in patterns.items() if pattern.wrong.any()}
    if not wrong:
        return None
    right = [name for name in patterns if name not in wrong]
    hints = {name: _tried(trial, {name: pattern}) or _seen(name, pattern) for name, pattern in wrong.items()}
    said = [*_alike({name: hint for name, hint in hints.items() if hint})]
    unknown = [name for name, hint in hints.items() if hint is None]
    if len(unknown) == len(patterns) > 1:
        return f"{_and(unknown)} are all wrong: what they share is dy"
    between = _between(list(patterns), list(wrong)) if len(unknown) > 1 else None
    if unknown and (said or right):
        said.append(_are(unknown, "wrong"))
    said += [_are(right, "right")] if right and (said or unknown) else []
    return "; ".join([*said, *([between] if between else [])]) or None


def _seen(name: str, pattern: Pattern) -> str | None:
    hint = tensor_hint(pattern)
    return hint and f"{name}: {hint}"


def _alike(hints: Mapping[str, str]) -> Iterator[str]:
    """Say once what is the same for several gradients."""
    groups: dict[str, list[str]] = {}
    for name, hint in hints.items():
        groups.setdefault(hint.removeprefix(name), []).append(name)
    for what, (first, *others) in groups.items():
        if what.startswith(":"):
            yield f"{_and([first, *others])}{what}"
        else:
            yield hints[first] + (f"; so {'is' if len(others) == 1 else 'are'} {_and(others)}" if others else "")


def _between(names: Sequence[str], wrong: Sequence[str]) -> str | None:
    """Where the later parameters' gradients are right and all earlier ones wrong, the mistake is on the way."""
    first_right = len(wrong)
    if len(wrong) < 2 or first_right == len(names) or list(wrong) != list(names[:first_right]):
        return None
    return f"what lies between {names[first_right - 1]} and {names[first_right]} hands on a wrong gradient"


def _tried(trial: AnyTrial | None, wrong: Mapping[str, Pattern]) -> str | None:
    if trial is None:
        return None
    if isinstance(trial, LossTrial):
        return next((hint for attempt in LOSS_EXPERIMENTS if (hint := attempt(trial, wrong))), None)
    if isinstance(trial, PairTrial):
        return next((hint for attempt in PAIR_EXPERIMENTS if (hint := attempt(trial, wrong))), None)
    experiments = (*EXPERIMENTS, *WINDOW_EXPERIMENTS, *SLOPE_EXPERIMENTS, *NORMALIZATION_EXPERIMENTS)
    return next((hint for attempt in experiments if (hint := attempt(trial, wrong))), None)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _are(names: Sequence[str], what: str) -> str:
    return f"{_and(names)} {'is' if len(names) == 1 else 'are'} {what}"
