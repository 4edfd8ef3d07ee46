"""`python -S warm.py SOCKET ARGUMENT…` is the command without half a second of imports: it asks who has them done.

A process that is asked forks one for each command. That one has the asker's streams, folder and environment, and the
asker ends with its exit code. What is about the start itself, signals or terminals starts the command from nothing.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

_LENGTH = 8  # bytes in which a request says how long it is


def ask(path: str, arguments: list[str]) -> None:
    """Have a command run, and end as it does."""
    request = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [len(request).to_bytes(_LENGTH, "big")], [0, 1, 2])
        server.sendall(request)
        code = int.from_bytes(server.recv(_LENGTH), "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def serve(path: str) -> None:
    """Import what commands need, and run one for each that asks, until stdin ends."""
    import gc
    import select
    from importlib import import_module

    from cnnbp.cli.verbs import VERBS, in_python

    for module in ("matplotlib.figure", *(f"cnnbp.cli.{in_python(verb)}" for verb in VERBS)):
        import_module(module)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for commands
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            asker, _ = server.accept()
            with asker:
                if os.fork() == 0:
                    server.close()
                    _answer(asker)


def _answer(asker: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, streams, _, _ = socket.recv_fds(asker, _LENGTH, 3)
    with asker.makefile("rb") as incoming:
        arguments, folder, environment = json.loads(incoming.read(int.from_bytes(length, "big")))
    process = os.fork()
    if process == 0:
        asker.close()
        _run(arguments, folder, environment, streams)
    for stream in {*streams, 0, 1, 2}:
        os.close(stream)  # who reads what the command writes is to see its end
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    asker.sendall(code.to_bytes(_LENGTH, "big", signed=True))
    os._exit(0)


def _run(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    code = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = (open(n, "rww"[n], closefd=False) for n in range(3))  # noqa: SIM115
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["cnnbp", *arguments]
        from cnnbp.__main__ import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    ask(sys.argv[1], sys.argv[2:])
