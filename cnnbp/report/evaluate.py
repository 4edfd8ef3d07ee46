"""What `cnnbp evaluate` shows: the totals, each class, which was taken for which, and the worst images."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.evaluate.scores import Evaluation, ImageScore
from cnnbp.report.confusion import draw_confusion
from cnnbp.report.console import one_line
from cnnbp.report.formatting import format_number
from cnnbp.report.tables import Column, print_table
from cnnbp.report.trained import trained_document
from cnnbp.training.trained import Trained


def draw_evaluation(evaluation: Evaluation, split: str, source: str, console: Console) -> None:
    """Print the totals and three tables."""
    low, high = evaluation.interval
    shown = "images" if split == "all" else f"{split} images"
    console.print(Text.assemble(("images     ", "bold"), f"{evaluation.images} {shown} of {one_line(source)}"))
    console.print(Text.assemble(("loss       ", "bold"), format_number(evaluation.loss)))
    console.print(
        Text.assemble(
            ("accuracy   ", "bold"),
            (f"{evaluation.accuracy:.2%}", "bold green"),
            f", {evaluation.right} of {evaluation.images} right; 95% interval {low:.1%} to {high:.1%}",
        )
    )
    console.print()
    _draw_classes(evaluation, console)
    console.print()
    names = [score.name for score in evaluation.classes]
    draw_confusion(evaluation.confusion, names, "Taken for which", console)
    if evaluation.worst:
        console.print()
        _draw_worst(evaluation.worst, console)


def _draw_classes(evaluation: Evaluation, console: Console) -> None:
    scores, mean = evaluation.classes, evaluation.mean
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


def evaluation_document(evaluation: Evaluation, trained: Trained, split: str, source: str) -> dict[str, Any]:
    """Return all that is shown, for `--json`."""
    return {
        **trained_document(trained),
        "source": source,
        "split": split,
        "images": evaluation.images,
        "right": evaluation.right,
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy,
        "accuracy_interval": evaluation.interval,
        "per_class": evaluation.classes,
        "mean": evaluation.mean,
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
