"""The processes that train one network together under torchrun; one process outside it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bioloom.errors import DataError

if TYPE_CHECKING:
    import torch

HEAD_START = 5  # seconds that rank 0 has to tell an error


def rank_and_world() -> tuple[int, int]:
    """The number of this process, and how many train together; (0, 1) outside torchrun."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes of torchrun for as long as the block lasts."""
    from torch import distributed

    if rank_and_world()[1] == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def rank_0_speaks_first() -> Iterator[None]:
    """Hold back the errors of other processes: torchrun ends them when rank 0 has told the same."""
    try:
        yield
    except DataError:
        if rank_and_world()[0] > 0:
            time.sleep(HEAD_START)
        raise
