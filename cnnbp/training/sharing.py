"""What rank 0 reads of a run directory, which no other rank needs to see, given to all ranks."""

from pathlib import Path
from tempfile import TemporaryDirectory

from cnnbp.config import Config, dump_config, parse_config
from cnnbp.engine.ranks import Ranks
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def share_checkpoint(checkpoint: Checkpoint | None, ranks: Ranks) -> Checkpoint:
    """Return the checkpoint of rank 0; the others give none."""
    if ranks.size > 1:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "checkpoint.npz"
            if checkpoint:
                save_checkpoint(copy, checkpoint)
            content = ranks.broadcast(copy.read_bytes() if checkpoint else b"")
            if not checkpoint:
                copy.write_bytes(content)
                return load_checkpoint(copy)
    assert checkpoint
    return checkpoint


def share_config(config: Config | None, ranks: Ranks) -> Config:
    """Return the configuration of rank 0; the others give none."""
    content = ranks.broadcast(
        dump_config(config).encode("utf-8", "surrogateescape") if config and ranks.size > 1 else b""
    )
    return config or parse_config(content.decode("utf-8", "surrogateescape"), "config.yaml")
