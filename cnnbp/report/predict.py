"""What `cnnbp predict` shows: a line for each image."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from cnnbp.data.store import BadImage
from cnnbp.evaluate.predictions import Prediction
from cnnbp.report.console import one_line, printable
from cnnbp.report.tables import Column, print_table
from cnnbp.report.trained import trained_document
from cnnbp.training.known import Role
from cnnbp.training.trained import Trained


def draw_predictions(predictions: Sequence[Prediction], console: Console) -> None:
    """Print each image with its most probable classes side by side."""
    if not predictions:
        return
    columns = [Column("image", [one_line(prediction.image) for prediction in predictions])]
    for place in range(len(predictions[0].top)):
        guesses = [prediction.top[place] for prediction in predictions]
        title = "class" if place == 0 else f"{place + 1}."
        columns.append(Column(title, [one_line(guess.name) for guess in guesses], weight=90 - place))
        columns.append(Column("p", [f"{guess.probability:.1%}" for guess in guesses], "right", weight=90 - place))
    print_table(console, columns)


def draw_trained_images(predictions: Sequence[Prediction], console: Console) -> None:
    """Say how many of the images trained the run: what it says of them proves nothing."""
    trained = [prediction.image for prediction in predictions if prediction.role == Role.TRAIN]
    if trained:
        example = "" if len(trained) == len(predictions) else f", such as {trained[0]!r}"
        line = f"{len(trained)} of {len(predictions)} images trained the run, so it may know them by heart{example}"
        console.print(printable(line), style="yellow", soft_wrap=True)


def predictions_document(
    predictions: Sequence[Prediction], bad: Sequence[BadImage], trained: Trained
) -> dict[str, Any]:
    """Return all that is shown and what could not be read, for `--json`."""
    return {
        **trained_document(trained),
        "predictions": [
            {
                "image": prediction.image,
                "known": prediction.role.name.lower(),
                "top": [{"class": guess.name, "probability": guess.probability} for guess in prediction.top],
            }
            for prediction in predictions
        ],
        "unreadable": [{"image": image.name, "reason": image.reason} for image in bad],
    }
