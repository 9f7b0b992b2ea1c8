"""A `snakemake` for tests that starts at once: each call is a fork of one that has been imported.

Importing Snakemake takes some three seconds, as long as a small run, and tests call it about two
hundred times, many of them through DVC. `snakemake_folder()` is to stand first in PATH.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([os.getcwd(), dict(os.environ), sys.argv]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.makefile().read()))
"""


@cache
def snakemake_folder() -> Path:
    """A folder with a program `snakemake` that is answered until this process ends.

    The server imports Snakemake with the first call.
    """
    folder = Path(tempfile.mkdtemp())
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen()
    program = folder / "snakemake"
    program.write_text(CLIENT.format(python=sys.executable, address=str(folder / "socket")))
    program.chmod(0o755)
    # The server ends when its input does, however this process ends.
    server = subprocess.Popen(
        [sys.executable, __file__, str(listener.fileno()), str(folder)],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        env=os.environ | {"SLURM_CONF": os.devnull},
    )
    atexit.register(shutil.rmtree, folder)
    atexit.register(server.communicate)  # runs before what was registered above
    return folder


def serve(listener: socket.socket) -> None:
    """Answer each call with the exit code of a fork, until standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who answered needs not be waited for
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        call = listener.accept()[0]
        preload()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            answer(call)
            return
        call.close()


@cache
def preload() -> None:
    """Import Snakemake and its plugins, for good."""
    from snakemake.cli import get_argument_parser

    get_argument_parser()
    gc.freeze()  # else each fork walks through all of it when it ends


def answer(call: socket.socket) -> None:
    """Run Snakemake as the caller would, in a fork of its own: it ends as a program does.

    Where the caller is killed, it is, too, with its jobs.
    """
    _, streams, *_ = socket.recv_fds(call, 1, 3)
    folder, environment, arguments = json.loads(call.makefile().read())
    if child := os.fork():
        ended, waiting = os.pidfd_open(child), select.poll()
        waiting.register(ended, select.POLLIN)
        waiting.register(call, 0)  # that the caller is gone is told in any case
        if ended not in dict(waiting.poll()):
            os.killpg(child, signal.SIGKILL)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        call.sendall(str(code if code >= 0 else 128 - code).encode())
        return
    os.setsid()
    call.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    from snakemake.cli import main

    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
