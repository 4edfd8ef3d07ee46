"""What `cnnbp evaluate` shows: the totals, each class, which was taken for which, and the worst images."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.evaluate.confidence import Reliability
from cnnbp.evaluate.images import ALL, Chosen
from cnnbp.evaluate.scores import Evaluation, ImageScore
from cnnbp.report.confusion import draw_confusion
from cnnbp.report.console import one_line
from cnnbp.report.formatting import format_number, natural_order
from cnnbp.report.tables import Column, print_table
from cnnbp.report.trained import trained_document
from cnnbp.training.known import Role
from cnnbp.training.trained import Trained


def draw_evaluation(evaluation: Evaluation, chosen: Chosen, listed: Iterable[str], console: Console) -> None:
    """Print the totals and three tables. `listed` are the names of the run's images, as far as they are known."""
    split, source = chosen.subset.name, str(chosen.folder.root)
    shown = "images" if split == ALL else f"{split} images"
    of = f" of {chosen.of}" if chosen.of and chosen.of != evaluation.images else ""
    console.print(Text.assemble(("images     ", "bold"), f"{evaluation.images}{of} {shown} of {one_line(source)}"))
    _draw_folder(chosen, listed, console)
    draw_scores(evaluation, console)


def draw_scores(evaluation: Evaluation, console: Console) -> None:
    """Print how good a network is on some images, wherever they are from."""
    low, high = evaluation.interval
    console.print(Text.assemble(("loss       ", "bold"), format_number(evaluation.loss)))
    console.print(
        Text.assemble(
            ("accuracy   ", "bold"),
            (f"{evaluation.accuracy:.2%}", "bold green"),
            f", {evaluation.right} of {evaluation.images} right; 95% interval {low:.1%} to {high:.1%}",
        )
    )
    _draw_confidence(evaluation, console)
    console.print()
    _draw_classes(evaluation, console)
    console.print()
    names = [score.name for score in evaluation.classes]
    draw_confusion(evaluation.confusion, names, "Taken for which", console)
    console.print()
    _draw_reliability(evaluation.reliability, console)
    if evaluation.worst:
        console.print()
        _draw_worst(evaluation.worst, console)


def _draw_confidence(evaluation: Evaluation, console: Console) -> None:
    """Say how good the ranking of the classes is, and how far the probabilities are from how often they are right."""
    if evaluation.top:
        told = ", ".join(f"{score.accuracy:.1%} in the first {score.k}" for score in evaluation.top)
        console.print(Text.assemble(("top k      ", "bold"), told))
    if evaluation.area_under_curve is not None:
        console.print(Text.assemble(("ROC area   ", "bold"), f"{evaluation.area_under_curve:.4f}"))
    error = f"{evaluation.calibration_error:.1%} between what is said and how often it is right"
    console.print(Text.assemble(("calibration", "bold"), f" error {error}"))


def _draw_reliability(bins: Sequence[Reliability], console: Console) -> None:
    columns = [
        Column("probability", [f"{each.low:.0%} to {each.high:.0%}" for each in bins], "right"),
        Column("images", [str(each.images) for each in bins], "right", weight=90),
        Column("says", [f"{each.confidence:.1%}" for each in bins], "right"),
        Column("is right", [f"{each.accuracy:.1%}" for each in bins], "right"),
    ]
    print_table(console, columns, "What is said, and how often it is right")


def _draw_folder(chosen: Chosen, listed: Iterable[str], console: Console) -> None:
    """Say what else is in the folder than the images that are evaluated, if that could mislead."""
    trained = chosen.roles.get(Role.TRAIN, 0)
    if chosen.subset.name == "train":
        _draw_warning("they trained the run: this is how well it learned them, not how good it is", console)
    elif trained and (chosen.subset.name == ALL or chosen.subset.name in chosen.folder.splits):
        _draw_warning(f"{trained} images that trained the run are left out", console)
    if chosen.changes and (difference := chosen.changes.described(listed)):
        way_out = "; --split new evaluates what is new" if chosen.changes.new and chosen.subset.name != "new" else ""
        _draw_warning(f"since it was trained: {difference}{way_out}", console)


def _draw_warning(line: str, console: Console) -> None:
    console.print(Text(f"           {one_line(line)}", "yellow"), soft_wrap=True)


def _draw_classes(evaluation: Evaluation, console: Console) -> None:
    scores, mean = sorted(evaluation.classes, key=lambda score: natural_order(score.name)), evaluation.mean
    total = Text(str(evaluation.images), "bold")

    def shares(name: str) -> list[Text]:
        return [*(_share(getattr(score, name)) for score in scores), _share(getattr(mean, name), "bold")]

    columns = [
        Column("class", [*(one_line(score.name) for score in scores), Text("mean, total", "bold")]),
        Column("images", [*(str(score.images) for score in scores), total], "right", weight=90),
        Column("predicted", [*(str(score.predicted) for score in scores), total], "right", weight=60),
        Column("precision", shares("precision"), "right", weight=80),
        Column("recall", shares("recall"), "right", weight=80),
        Column("F1", shares("f1"), "right"),
    ]
    print_table(console, columns, "Class by class")


def _draw_worst(worst: Sequence[ImageScore], console: Console) -> None:
    columns = [
        Column("image", [one_line(image.name) for image in worst]),
        Column("class", [one_line(image.label) for image in worst], weight=90),
        Column("taken for", [_verdict(image) for image in worst]),
        Column("p(class)", [f"{image.label_probability:.1%}" for image in worst], "right", weight=70),
        Column("p(taken for)", [f"{image.prediction_probability:.1%}" for image in worst], "right", weight=60),
        Column("loss", [format_number(image.loss) for image in worst], "right", weight=80),
    ]
    print_table(console, columns, "The largest losses")


def evaluation_document(
    evaluation: Evaluation, trained: Trained, chosen: Chosen, listed: Iterable[str]
) -> dict[str, Any]:
    """Return all that is shown, for `--json`."""
    return {
        **trained_document(trained),
        "source": str(chosen.folder.root),
        "split": chosen.subset.name,
        "known": {role.name.lower(): chosen.roles.get(role, 0) for role in Role},
        "changes": chosen.changes and chosen.changes.document(listed),
        "images": evaluation.images,
        "right": evaluation.right,
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy,
        "accuracy_interval": evaluation.interval,
        "per_class": evaluation.classes,
        "mean": evaluation.mean,
        "top": evaluation.top,
        "area_under_curve": evaluation.area_under_curve,
        "calibration_error": evaluation.calibration_error,
        "reliability": evaluation.reliability,
        "confusion": evaluation.confusion,
        "worst": [
            {
                "image": image.name,
                "class": image.label,
                "prediction": image.prediction,
                "class_probability": image.label_probability,
                "prediction_probability": image.prediction_probability,
                "loss": image.loss,
            }
            for image in evaluation.worst
        ],
    }


def _share(value: float | None, style: str = "") -> Text:
    return Text("–", "dim") if value is None else Text(f"{value:.1%}", style)


def _verdict(image: ImageScore) -> Text:
    return Text(one_line(image.prediction), style="green" if image.prediction == image.label else "red")
