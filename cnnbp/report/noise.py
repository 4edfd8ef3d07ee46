"""What a batch's gradients say about training, in a line each."""

from rich.console import Console
from rich.text import Text

from cnnbp.inspect.curvature import Curvature
from cnnbp.inspect.noise import Agreement, Noise
from cnnbp.report.formatting import format_number


def draw_noise(noise: Noise | None, agreement: Agreement | None, curvature: Curvature | None, console: Console) -> None:
    """Print the noise scale, how far images agree and the largest curvature, of what there is."""
    lines = {
        "noise scale": _describe_noise(noise) if noise else "",
        "agreement": _describe_agreement(agreement, noise.images) if agreement and noise else "",
        "curvature": _describe_curvature(curvature) if curvature else "",
    }
    for name, line in lines.items():
        if line:
            console.print(Text.assemble((f"{name:<13}", "bold"), line))


def _describe_noise(noise: Noise) -> str:
    if noise.scale is None:
        return f"unknown: noise hides the signal of {noise.images} images, more of them would tell"
    if noise.signal_to_noise is None:
        return "0: all images have the same gradient"
    ratio = f"signal/noise of this batch of {noise.images} is {noise.signal_to_noise:.3g}"
    return f"tr Σ/‖∇L‖² = {noise.scale:.3g} images; {ratio}"


def _describe_agreement(agreement: Agreement, images: int) -> str:
    parts = {
        "cosine of two images' gradients": agreement.all,
        "of one class": agreement.same_class,
        "of two classes": agreement.other_class,
    }
    found = [f"{what} {cosine:.2f}" for what, cosine in parts.items() if cosine is not None]
    return ", ".join([*found, f"{agreement.against} of {images} pull against the batch"])


def _describe_curvature(curvature: Curvature) -> str:
    if curvature.longest_rate is None:
        return "the loss bends upwards in no direction"
    rate = format_number(curvature.longest_rate)
    return f"largest λ = {format_number(curvature.largest)}: plain gradient descent needs lr < 2/λ = {rate}"
