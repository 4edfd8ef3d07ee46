"""The `cnnbp` command, also as `python -m cnnbp`."""

import gc


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    gc.disable()  # nothing that an import makes is garbage; it is back on when a verb starts
    from cnnbp.cli import main as run

    run()


if __name__ == "__main__":
    main()
