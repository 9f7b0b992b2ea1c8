"""Runs that are disturbed again and again; the end is that of a run that nothing disturbed.

    python -m tests.faults --faults 200                 # the quick tasks of CI, on real data
    python -m tests.faults --faults 1000 --page docs/faults.md

A run is started, and after a random while all of it, or one of its jobs, is killed (-9), or a
second run is started beside it before both are. The next run is a plain one, disturbed in turn,
until one comes to its end. Then results are cut, a bit of them flipped, removed, or their dates
moved by years, and runs that mend them are disturbed again. No lock is removed by hand. In the end
a further run must plan nothing, and every result must be that of a run that nothing disturbed, byte
for byte. What a killed run made is recorded by the next one: damage in between would not be seen.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.tiny_project import ROOT, environment

SHARED = ("config.yaml", "data", "resources", ".ci", "tasks")
KILL_RUN, KILL_JOB, SECOND_RUN = "all of a run killed", "a job killed", "a second run beside it"
DAMAGED = 10
"""Results that are damaged in a round."""
YEARS = 5 * 365 * 86400


class Disturbed:
    """A folder where the same run is disturbed; `counts` has (fault, where) and how often."""

    def __init__(self, folder: Path, command: Sequence[str], seed: int) -> None:
        self.folder, self.command = folder, [*command, "--directory", str(folder)]
        self.rng = random.Random(seed)
        self.counts: Counter[tuple[str, str]] = Counter()

    def until_done(self, longest: float, most: int) -> None:
        """Disturb runs, each after `longest` seconds at most, `most` times or until one ends.

        RuntimeError where a run that was left alone fails.
        """
        for _ in range(most):
            if self._disturb(self.rng.uniform(0, longest)):
                break
        self.finish()

    def damage(self, times: int) -> None:
        """Alter files that a run, which has come to its end, has made."""
        for _ in range(times):
            file = self.rng.choice(sorted(_files(self.folder / "results")))
            damage = self.rng.choice([*DAMAGES])
            DAMAGES[damage](file, self.rng)
            self.counts[damage, "a result"] += 1

    def finish(self) -> None:
        """A plain run to its end; RuntimeError where it fails, or leaves something to do."""
        done = self._run(self.command)
        if done.returncode:
            raise RuntimeError(f"A plain run ended with {done.returncode}:\n{done.stdout[-4000:]}")
        if "Nothing to be done" not in (plan := self._run([*self.command, "--dry-run"]).stdout):
            raise RuntimeError(f"A second run is not empty:\n{plan[-4000:]}")

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def _disturb(self, seconds: float) -> bool:
        """Whether the run came to its end before its time."""
        with tempfile.TemporaryFile() as log:
            started = {"env": environment(), "stdout": log, "stderr": log}
            run = subprocess.Popen(self.command, start_new_session=True, **started)
            try:
                return run.wait(seconds) == 0
            except subprocess.TimeoutExpired:
                pass
            jobs = _jobs(run.pid)
            fault = self.rng.choice([KILL_RUN, KILL_RUN, KILL_JOB, SECOND_RUN])
            if fault == SECOND_RUN:
                second = subprocess.Popen(self.command, start_new_session=True, **started)
                time.sleep(self.rng.uniform(0, 5))
                os.killpg(second.pid, signal.SIGKILL)
                second.wait()
            if fault == KILL_JOB and jobs:
                os.kill(self.rng.choice([*jobs]), signal.SIGKILL)
                run.wait()  # ends by itself, with the error of the job
            else:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
            for step in set(jobs.values()) or {"no job"}:
                self.counts[fault, step] += 1
        return False


def _jobs(session: int) -> dict[int, str]:
    """Processes of the steps of a run, and the names of these."""
    found = {}
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdecimal() and os.getsid(int(place.name)) == session:
                words = (place / "cmdline").read_bytes().split(b"\0")
                names = [Path(word.decode()).stem for word in words[1:2] if b"scripts/" in word]
                found |= dict.fromkeys([int(place.name)], *names) if names else {}
        except (OSError, ValueError):
            continue  # ended meanwhile
    return found


def _cut(file: Path, rng: random.Random) -> None:
    os.truncate(file, rng.randrange(file.stat().st_size) if file.stat().st_size else 0)


def _flip(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(content)


def _remove(file: Path, rng: random.Random) -> None:
    file.unlink()


def _move_date(file: Path, rng: random.Random) -> None:
    date = time.time() + rng.choice([-1, 1]) * rng.random() * YEARS
    os.utime(file, (date, date))


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "cut": _cut,
    "a bit flipped": _flip,
    "removed": _remove,
    "dated years off": _move_date,
}


def contents(folder: Path) -> dict[str, bytes]:
    """Every result by its name."""
    results = folder / "results"
    return {str(file.relative_to(results)): file.read_bytes() for file in _files(results)}


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def differences(folder: Path, expected: dict[str, bytes]) -> list[str]:
    """The results that are not those expected."""
    found = contents(folder)
    return sorted(name for name in found.keys() | expected if found.get(name) != expected.get(name))


def lay_out(folder: Path) -> Path:
    """A folder with the repository's data and tasks; downloads are shared, embeddings are not."""
    folder.mkdir()
    for part in SHARED:
        if (ROOT / part).exists():
            (folder / part).symlink_to(ROOT / part)
    (folder / ".bioloom").mkdir()
    (ROOT / ".bioloom/downloads").mkdir(parents=True, exist_ok=True)
    (folder / ".bioloom/downloads").symlink_to(ROOT / ".bioloom/downloads")
    return folder


def page(counts: Counter[tuple[str, str]], rounds: int, seed: int) -> str:
    """The table of docs/faults.md."""
    by_fault: dict[str, Counter[str]] = {}
    for (fault, step), count in counts.items():
        by_fault.setdefault(fault, Counter())[step] += count
    lines = [
        "# Runs that were disturbed",
        "",
        "`python -m tests.faults` runs the quick tasks of CI, one of each kind on real data, and",
        "disturbs them: runs and jobs are killed (`kill -9`), a second run is started beside the",
        "first, results are cut, altered, removed and dated otherwise, and the next run is a plain",
        "one. In the end, with no lock removed by hand, a run planned nothing, and every result",
        f"was that of a run that nothing disturbed, byte for byte (rounds: {rounds}, seed {seed}):",
        "",
        "| fault | times | while these steps ran |",
        "|---|---|---|",
    ]
    for fault, steps in sorted(by_fault.items()):
        where = ", ".join(f"{step} {count}" for step, count in steps.most_common())
        lines.append(f"| {fault} | {steps.total()} | {where} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line; exit code 1 where a result differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=60, help="seconds until a fault, at most")
    parser.add_argument("--page", type=Path, help="where the counts are written")
    chosen = parser.parse_args()
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--config", "tasks=.ci/quick"]
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="bioloom-faults-") as place:
        calm = Disturbed(lay_out(Path(place) / "calm"), command, 0)
        calm.finish()
        expected, rounds = contents(calm.folder), 0
        while counts.total() < chosen.faults:
            folder = lay_out(Path(place) / "disturbed")
            disturbed = Disturbed(folder, command, chosen.seed + rounds)
            disturbed.until_done(chosen.longest, chosen.faults - counts.total())
            disturbed.damage(DAMAGED)
            disturbed.until_done(chosen.longest, chosen.faults)
            counts, rounds = counts + disturbed.counts, rounds + 1
            if wrong := differences(folder, expected):
                sys.exit(f"{len(wrong)} results differ, such as {wrong[:5]}")
            print(f"{counts.total()} faults, every result as expected", flush=True)
            shutil.rmtree(folder)
    table = page(counts, rounds, chosen.seed)
    print(table)
    if chosen.page:
        chosen.page.write_text(table)


if __name__ == "__main__":
    main()
