"""The `cnnbp` command, also as `python -m cnnbp`."""

import gc
import signal


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    gc.disable()  # nothing that an import makes is garbage; it is back on when a verb starts
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no import ends well halfway; Ctrl-C is an exception in a verb
    from cnnbp.cli import main as run

    run()


if __name__ == "__main__":
    main()
