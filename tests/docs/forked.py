"""The `spillgate` command without its start: a process that has imported it, forked for each call.

A page has dozens of commands, and a start takes more than a second of a processor. Only commands
that end are called so; what serves is started as usual. `python -m tests.docs.forked SOCKET`.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from contextlib import redirect_stderr
from importlib import import_module
from pathlib import Path
from typing import Final

from app.main import main

READY: Final = "ready"
_STANDARD: Final = (0, 1, 2)

#: What calls it, for `python -SI`: argv[1] is the socket, the rest is the command's.
CALLER: Final = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    asked = {"arguments": sys.argv[2:], "directory": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(server, [b"-"], [0, 1, 2])
    server.sendall(json.dumps(asked).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8)))
"""


def serve(path: Path) -> None:
    """Answer calls until told to end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    _warm()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        while True:
            caller, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(caller)
            caller.close()


def _warm() -> None:
    """Import what commands import when they are called, the rest by one that has nobody to ask."""
    for name in ("comparison", "drafting", "latency", "planning", "probing"):
        import_module(f"app.bootstrap.{name}")
    nobody = {"SPILLGATE_ADMIN_URL": "http://127.0.0.1:9", "SPILLGATE_ADMIN_KEY": "none"}
    os.environ |= nobody
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123  # a device
        _run(["tenant", "list"], ".", dict(os.environ))


def _answer(caller: socket.socket) -> None:
    """Run the command in a child, say how it ended, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(caller, 1, len(_STANDARD))
    asked = json.loads(b"".join(iter(lambda: caller.recv(65536), b"")))
    child = os.fork()
    if child == 0:
        for file, standard in zip(files, _STANDARD, strict=True):
            os.dup2(file, standard)
        os._exit(_run(asked["arguments"], asked["directory"], asked["environment"]))
    caller.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    os._exit(0)


def _run(arguments: list[str], directory: str, environment: dict[str, str]) -> int:
    """What `spillgate ARGUMENTS` does there; its exit code."""
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["spillgate", *arguments]
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
