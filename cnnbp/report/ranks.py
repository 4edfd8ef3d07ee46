"""How many processes train, and whether each of them has something to do."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cnnbp.training.job import Job


def draw_ranks(job: Job, hosts: Sequence[str], results: Console, notes: Console) -> None:
    """Say on how many hosts how many ranks work, and warn where a batch is cut into fewer pieces than that."""
    machines, threads, count = len(set(hosts)), job.engine.threads, job.micro_batches
    on = f"{machines} hosts" if machines > 1 else hosts[0]
    results.print(
        Text.assemble(("ranks    ", "bold"), f"{len(hosts)} on {on}, {threads} thread{'s' * (threads > 1)} each")
    )
    idle = len(hosts) - count
    if idle > 0:
        notes.print(
            f"warning: a batch of {job.batch_size} images is cut into {count} micro-batch{'es' * (count > 1)}, so "
            f"{idle} of {len(hosts)} ranks have nothing to do: a larger train.batch_size gives them work",
            style="yellow",
        )
