"""What the trials show that leave no run behind: one step, a few images learned by heart, a range of rates."""

from math import log10

from rich.console import Console

from cnnbp.network import Network
from cnnbp.optimizers import Optimizer
from cnnbp.report.curves import Plot, draw_plot
from cnnbp.report.formatting import format_number
from cnnbp.report.train import draw_gradients
from cnnbp.training.trials import DryRun, Overfit, RateTest


def draw_dry_run(result: DryRun, network: Network, console: Console) -> None:
    """Show what the first step came to."""
    console.print(
        f"first step: {result.images} images, loss {format_number(result.loss)}, "
        f"learning rate {result.lr:.2e}, {1000 * result.seconds:.1f} ms"
    )
    draw_gradients(result.tensors, network, console, "Batch gradients at step 1")


def draw_overfit(result: Overfit, console: Console) -> None:
    """Say whether the images were learned by heart."""
    verdict = "learned by heart" if result.learned else "not learned by heart"
    console.print(
        f"{result.images} images {verdict} after {result.epochs} epochs: loss {format_number(result.loss)} "
        f"(goal {format_number(result.goal)}), accuracy {result.accuracy:.1%}",
        style="bold green" if result.learned else "bold red",
    )


def draw_rates(test: RateTest, optimizer: Optimizer, console: Console) -> None:
    """Draw the loss over the learning rate, and name one to begin with."""
    rates = [log10(point.lr) for point in test.points]
    losses = [point.loss for point in test.points]
    if len(rates) > 1:
        none = [None] * len(rates)
        draw_plot(Plot("", rates, losses, "loss by learning rate", none, "", _power_of_ten, "{:.3g}".format), console)
    console.print(f"suggestion: train.optimizer.{optimizer.type}.lr={test.suggestion:.1e}", style="bold")
    console.print("where the smoothed loss has come nine tenths of its way down", style="dim")


def _power_of_ten(exponent: float) -> str:
    return f"{10**exponent:.0e}"
