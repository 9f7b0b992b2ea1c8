"""Jobs that run at the same time, each in a process of its own.

A pool of `concurrent.futures` waits for ever where a process is killed while another is started.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any


class ProcessKilledError(RuntimeError):
    """A process ended without an answer, as one does that the system kills for memory."""


def run_each(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What `function(*job)` gives for each job, in their order.

    Raises what a job raises, or ProcessKilledError; the other processes are then ended.
    """
    context = multiprocessing.get_context("spawn")  # CUDA cannot be used in a forked process
    started, waiting = [], dict[Any, int]()
    answers: list[Any] = [None] * len(jobs)
    try:
        for number, job in enumerate(jobs):
            ours, theirs = context.Pipe(duplex=False)
            started.append(context.Process(target=_answer, args=(theirs, function, job)))
            started[-1].start()
            theirs.close()  # so that it ends with the process
            waiting[ours] = number
        while waiting:
            for pipe in wait(list(waiting)):
                answers[waiting.pop(pipe)] = _received(pipe)
    finally:
        for process in started:
            process.terminate()
            process.join()
    return answers


def _answer(pipe: Connection, function: Callable[..., Any], job: tuple[Any, ...]) -> None:
    try:
        pipe.send(function(*job))
    except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
        error.add_note(traceback.format_exc())
        pipe.send(error)


def _received(pipe: Any) -> Any:
    try:
        answer = pipe.recv()
    except EOFError:
        raise ProcessKilledError from None
    if isinstance(answer, Exception):
        raise answer
    return answer
