"""bioloom: biomedical applications of foundation models as one file-based pipeline.

In Python `load` reads a trained model and `embed` turns sequences into vectors.
"""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.2.0"
__all__ = ["embed", "load"]

_HOMES = {"embed": "bioloom.features.engine", "load": "bioloom.cli.predict"}


def _add_in_one_order() -> None:
    """Have MKL, torch's matrix products, sum alike for any number of threads.

    It does by itself on processors with AVX-512; on others (an AMD EPYC with AVX2) the last digit
    of a product, and so of a vector, depends on the threads unless it is told.
    """
    try:
        flags = re.findall(r"\b(avx2|avx512f)\b", Path("/proc/cpuinfo").read_text())
    except OSError:  # not on Linux
        return
    if "avx2" in flags and "avx512f" not in flags:
        os.environ.setdefault("MKL_CBWR", "AVX2")


def _use_the_cores_given() -> None:
    """Have Numba take no more cores than OpenMP is given: by itself it takes all of the machine.

    After it torch would do so, too, for Numba sets the threads of the OpenMP that they share: two
    jobs on two cores then wait for each other, many times as long as they work. What Numba was told
    before does not count: a job has it from the workflow, whose cores are others.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given):
        os.environ["NUMBA_NUM_THREADS"] = given


_add_in_one_order()
_use_the_cores_given()


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for: `import bioloom` alone brings no torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
