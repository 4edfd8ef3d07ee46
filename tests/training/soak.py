"""The long kill test: python -m tests.training.soak [KILLS] [SEED]."""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.training.kills import Kills


def main() -> int:
    say = Console(highlight=False).print
    wanted, seed = (int(text) for text in (*sys.argv[1:], "100", str(time.time_ns() % 10**6))[:2])
    say(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder), seed)
        trials = wrong = 0
        while kills.count < wanted:
            differing = kills.trial(trials)
            trials += 1
            wrong += bool(differing)
            say(f"run {trials}: {kills.count} kills so far, {', '.join(differing) or 'the same bytes'}")
    say(f"{kills.count} kills in {trials} runs, {trials - wrong} of {trials} runs ended in the same bytes")
    say(", ".join(f"{count} {where}" for where, count in kills.hits.most_common()))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
