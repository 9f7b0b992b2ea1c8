"""Where a network runs: which device is free, and which precision is fast on it."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom.errors import DataError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

BF16_FLAGS = {"avx512_bf16", "amx_bf16", "svebf16"}
"""Instructions with which a CPU multiplies bf16 clearly faster than fp32; others can be slower."""


def cores() -> int:
    """Cores that this process may use: what the scheduler says, else all."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _is_there(name: str) -> bool:
    """Whether torch has a device of this name."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        return False
    if device.type != "cuda":
        return True
    return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()


@contextmanager
def claim_devices(wanted: str | None) -> Iterator[list[str]]:
    """The devices to run on, held until the block ends.

    None or `auto`: a free GPU, else the CPU; `all`: every free GPU; otherwise a comma-separated
    list of torch devices; DataError for one that is not there. Snakemake counts GPUs but assigns
    none, so jobs on one node agree by file locks. Where no GPU is free, the one with the most free
    memory is shared.
    """
    import torch

    if wanted not in (None, "auto", "all"):
        given = [name.strip() for name in str(wanted).split(",")]
        for name in given:
            if not _is_there(name):
                hint = "cpu, cuda, cuda:1 ..., as torch calls them"
                raise DataError(f"There is no device {name!r}", hint=hint)
        yield given
    elif not torch.cuda.is_available():
        yield ["cpu"]
    else:
        properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        names = [str(each.uuid) for each in properties]
        with lock_free(names, len(names) if wanted == "all" else 1) as taken:
            if not taken:
                taken = [max(range(len(names)), key=lambda i: torch.cuda.mem_get_info(i)[0])]
            yield [f"cuda:{i}" for i in taken]


@contextmanager
def lock_free(names: list[str], most: int) -> Iterator[list[int]]:
    """Hold the first `most` of these names that no other process here holds; their positions."""
    folder = Path(tempfile.gettempdir()) / f"bioloom-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    taken: list[int] = []
    with ExitStack() as held:
        for i, name in enumerate(names):
            file = held.enter_context((folder / name).open("w"))
            with suppress(BlockingIOError):
                if len(taken) < most:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    taken.append(i)
        yield taken


def fast_dtype(device: str) -> str:
    """`bfloat16` where the device has instructions for it, else `float32`.

    Never by trying: how fast a product is depends on what else runs, and two jobs must agree.
    """
    if device.startswith("cuda"):
        import torch

        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if device == "cpu" and BF16_FLAGS & _cpu_flags() else "float32"


@cache
def _cpu_flags() -> set[str]:
    """What the processor says that it can; nothing where the system (macOS) has no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    # x86 calls them flags, ARM features.
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return set(line.split())


@contextmanager
def repeatable(seed: int, device: str, *, warn_only: bool = False) -> Iterator[None]:
    """Deterministic algorithms and a random state of their own; outside nothing changes.

    `warn_only` lets through what has no deterministic form.
    """
    import torch

    memory: Any = torch.utils.deterministic
    # cuBLAS repeats its sums bit for bit only with this, and reads it once, at its start.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, filled = torch.are_deterministic_algorithms_enabled(), memory.fill_uninitialized_memory
    with torch.random.fork_rng([device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=warn_only)
        # Nothing here reads what it has not written, and filling it takes a tenth of the time.
        memory.fill_uninitialized_memory = False
        try:
            yield
        finally:
            memory.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(before)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the host, had too little memory for what was tried."""
    import torch

    texts = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


class Budget:
    """The most that a batch holds, so many of a `unit`; less, where memory does not suffice."""

    def __init__(self, size: int, unit: str) -> None:
        self.size, self.unit = size, unit
        self._is_told = False

    def halve(self, tried: int) -> None:
        """Take half of what was `tried` from now on, at most, and tell so the first time."""
        self.size = max(1, min(self.size, tried // 2))
        if not self._is_told:
            log.warning("out of memory: batches of %d %s or less", self.size, self.unit)
        self._is_told = True


@contextmanager
def enough_memory(what: str, hint: str) -> Iterator[None]:
    """Turn a lack of memory into a DataError: "`what` needs more memory ..."."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DataError(f"{what} needs more memory than the device has", hint=hint) from error


def device_name(device: torch.device) -> str:
    """What to call the device in a record: the GPU's model, or `cpu`."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def peak_memory_mb(device: str) -> int:
    """The most memory this process has held: of the GPU where it runs on one, else of the host."""
    if device.startswith("cuda"):
        import torch

        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
