"""What must be the same on every rank, or they would train different networks without a word."""

from hashlib import blake2b

from cnnbp.engine.ranks import Ranks, gather_texts
from cnnbp.errors import DataError


def require_same(what: str, content: str | memoryview, ranks: Ranks) -> None:
    """Raise DataError, on all ranks, where one of them has other content than rank 0."""
    if ranks.size == 1:
        return
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    answers = gather_texts(f"{blake2b(raw, digest_size=16).hexdigest()} {ranks.host}", ranks)
    found = [tuple(answer.split(" ", 1)) for answer in answers]
    for rank, (digest, host) in enumerate(found):
        if digest != found[0][0]:
            raise DataError(f"rank {rank} on {host} has other {what} than rank 0 on {found[0][1]}")
