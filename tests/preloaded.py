"""Programs for tests that start at once: `snakemake`, `dvc` and `python` as forks of one process.

Importing Snakemake or DVC takes some three seconds, as long as a small run, and what a job needs of
pandas, scikit-learn and torch one to three. Tests call Snakemake about two hundred times, many of
them through DVC, and it starts many more jobs. `programs_folder()` is to stand first in PATH.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys
if {name!r} == "python" and sys.argv[1:3] == ["-m", "snakemake"]:
    program = os.path.join(os.path.dirname(sys.argv[0]), "snakemake")
    os.execv(program, [program, *sys.argv[3:]])
if {name!r} == "python" and not "".join(sys.argv[1:2]).endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([os.getcwd(), dict(os.environ), sys.argv]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.makefile().read()))
"""


@cache
def programs_folder() -> Path:
    """A folder with programs that are answered until this process ends.

    `python` answers by a fork where it is called with a script or as `python -m snakemake`, and is
    the usual one else.
    """
    folder = Path(tempfile.mkdtemp())
    for name in PROGRAMS:
        _serve_as(folder / name)
    atexit.register(shutil.rmtree, folder)
    return folder


def own_snakemake() -> list[str]:
    """The command of a Snakemake that is no fork, and can be killed without its jobs."""
    python = str(programs_folder() / "python")
    code = f"import sys; sys.executable = {python!r}; from snakemake.cli import main; main()"
    return [sys.executable, "-c", code]


def _serve_as(program: Path) -> None:
    """Write a program, and start the process that answers its calls: it imports with the first."""
    address = program.with_suffix(".socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    given = {"python": sys.executable, "name": program.name, "address": str(address)}
    program.write_text(CLIENT.format(**given))
    program.chmod(0o755)
    # The server ends when its input does, however this process ends.
    server = subprocess.Popen(
        [sys.executable, __file__, str(listener.fileno()), str(program)],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        env=os.environ | {"SLURM_CONF": os.devnull},
    )
    listener.close()
    atexit.register(server.communicate)


def serve(listener: socket.socket, program: Path) -> None:
    """Answer each call with the exit code of a fork, until standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who answered needs not be waited for
    imported, run = PROGRAMS[program.name]
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        call = listener.accept()[0]
        imported()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            sys.executable = str(program.with_name("python"))  # Snakemake's jobs run it
            answer(call, run)
            return
        call.close()


@cache
def import_snakemake() -> None:
    """Snakemake and its plugins, for good."""
    import jsonschema  # noqa: F401
    from snakemake.cli import get_argument_parser

    get_argument_parser()
    gc.freeze()  # else each fork walks through all of it when it ends


@cache
def import_dvc() -> None:
    """DVC with all its commands, and with what they import when they run."""
    import dvc.api  # noqa: F401
    import dvc.repo.experiments.executor.local  # noqa: F401
    import dvc_objects.fs.local  # noqa: F401
    import dvc_render  # noqa: F401
    from dvc.cli.parser import get_main_parser

    get_main_parser()
    gc.freeze()


@cache
def import_libraries() -> None:
    """What jobs import, but no module of bioloom: each project of a test has its own."""
    import jinja2  # noqa: F401
    import matplotlib.backends.backend_svg  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import mpl_toolkits.mplot3d.axes3d  # noqa: F401
    import numba  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import skops.io  # noqa: F401
    import torch._dynamo  # noqa: F401
    import transformers.models.bert.modeling_bert  # noqa: F401
    import yaml  # noqa: F401

    gc.freeze()


def run_snakemake() -> None:
    """As the program does, with the arguments of the caller."""
    from snakemake.cli import main

    main()


def run_dvc() -> None:
    """As the program does, with the arguments of the caller."""
    from dvc.cli import main

    sys.exit(main())


def run_script() -> None:
    """As Python does with a script and its arguments."""
    del sys.argv[0]
    sys.path[:0] = [os.path.dirname(sys.argv[0]), *os.environ.get("PYTHONPATH", "").split(":")]
    runpy.run_path(sys.argv[0], run_name="__main__")


PROGRAMS: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "snakemake": (import_snakemake, run_snakemake),
    "dvc": (import_dvc, run_dvc),
    "python": (import_libraries, run_script),
}
"""What a program imports once, and what it does in each fork."""


def answer(call: socket.socket, run: Callable[[], None]) -> None:
    """Run a program as the caller would, in a fork of its own: it ends as a program does.

    Where the caller is killed, it is, too, with its jobs. No process tidies up what was imported:
    that would take each a second.
    """
    _, streams, *_ = socket.recv_fds(call, 1, 3)
    folder, environment, arguments = json.loads(call.makefile().read())
    if child := os.fork():
        ended, waiting = os.pidfd_open(child), select.poll()
        waiting.register(ended, select.POLLIN)
        waiting.register(call, 0)  # that the caller is gone is told in any case
        if ended not in dict(waiting.poll()):
            os.killpg(child, signal.SIGKILL)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        call.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    os.setsid()
    call.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    os._exit(ended_with(run))


def ended_with(run: Callable[[], None]) -> int:
    """The exit code of a program; all that Python does at its end is done, but tidying up.

    An error that the program leaves is Python's to print, as ever.
    """
    code: object = None
    try:
        run()
    except SystemExit as end:
        code = end.code
    threading._shutdown()
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
