"""Print ratios to peers and fractions of limits, and write them as JSON to bench/results.

`python -m bench` measures everything in ten minutes, `--only embedding` one suite, `--full` larger
models on more sequences, `--tiny` a small size for CI, which fails where a ratio is below half its
goal. Seconds (of CPU time; on a GPU, of wall time) are never judged.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.timing import measure

SUITES = (
    "letters",
    "stored",
    "drugs",
    "splicing",
    "reads",
    "embedding",
    "embedding_150m",
    "embedding_gpu",
    "second_run",
)
PACKAGES = ("numpy", "numba", "torch", "transformers")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "sve", "bf16")


def main() -> None:
    """Run the suites; exit 1 where `--tiny` finds a ratio that is too low."""
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--tiny", action="store_true", help="small sizes, judged at half the goal")
    sizes.add_argument("--full", action="store_true", help="larger sizes, for an hour")
    parser.add_argument("--only", choices=SUITES, action="append", help="only these suites")
    parser.add_argument("--rounds", type=int, default=5, help="the minimum over so many is taken")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    size = "tiny" if arguments.tiny else "full" if arguments.full else "usual"
    measured = []
    for name in arguments.only or SUITES:
        with tempfile.TemporaryDirectory() as folder:
            suite = importlib.import_module(f"bench.{name}").suite(size, Path(folder))
            measured.append(measure(suite, arguments.rounds))
        show(measured[-1])
    arguments.results.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "size": size, "rounds": arguments.rounds}
    path = arguments.results / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    path.write_text(json.dumps(record | {"suites": measured}, indent=1) + "\n")
    print(f"\nwritten to {path}")
    if arguments.tiny and (bad := too_low(measured)):
        sys.exit(f"too slow: {', '.join(bad)}")


def show(result: dict[str, Any]) -> None:
    """Print a suite as two small tables."""
    print(f"\n{result['suite']}")
    for name, seconds in result["seconds"].items():
        print(f"  {seconds:10.3f} s    {name}")
    for ratio in result["ratios"]:
        goal = f"goal {ratio['goal']:g}" if ratio["goal"] else ""
        met = (
            "" if not ratio["goal"] else "  met" if ratio["value"] >= ratio["goal"] else "  missed"
        )
        print(f"  {ratio['value']:10.2f}        {ratio['name']}  {goal}{met}")
    for name, reason in result["skipped"].items():
        print(f"  not measured    {name}: {reason}")
    sys.stdout.flush()


def too_low(measured: list[dict[str, Any]]) -> list[str]:
    """Names of the ratios below what CI asks for."""
    ratios = [ratio for result in measured for ratio in result["ratios"]]
    return [r["name"] for r in ratios if r["lowest"] and r["value"] < r["lowest"]]


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, its relevant flags, and versions."""
    about: dict[str, Any] = {"python": platform.python_version(), "processor": platform.machine()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        about["processor"] = fields.get("model name", about["processor"])
        present = fields.get("flags", fields.get("Features", "")).split()
        about["flags"] = [flag for flag in FLAGS if flag in present]
    return about | {name: importlib.metadata.version(name) for name in PACKAGES}


if __name__ == "__main__":
    main()
