"""Runs that are disturbed again and again; the end is that of a run that nothing disturbed.

    python -m tests.faults --faults 200                 # all tasks, on real data
    python -m tests.faults --faults 1000 --page docs/faults.md

The tasks are CI's quick ones and, of applications and rules that these leave out, those of
tests/fault_tasks: each rule of the workflow runs.

A run is started, and something befalls it (`FAULTS`): after a random while all of it, Snakemake
alone or one of its jobs is killed (-9), or a second run is started beside it before both are, or a
result is out of sight for some seconds; or its disk is all but full, or its results are read-only,
or an input is damaged until it has ended. What a killed run made is damaged, too: cut, a bit of it
flipped, removed, or dated years off. The next run is a plain one, disturbed in turn, until one
comes to its end. Then results, stored embeddings and inputs' dates are damaged, and runs that mend
them are disturbed again. No lock is removed by hand. In the end a further run must plan nothing,
and every result must be that of a run that nothing disturbed, byte for byte. Of removed files those
that only serve others, which are there, are asked for by name: as anywhere in Snakemake, who needs
the room may remove them.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, NamedTuple

import yaml

from tests.tiny_project import ROOT, environment

TASKS = {
    file.stem: file
    for folder in ("tests/fault_tasks", ".ci/quick")
    for file in sorted((ROOT / folder).glob("*.yaml"))
}
QUICK = "quick/tasks"
"""Where they lie: as far from tasks/ as in the repository, since they say `like`."""
WHOLE = ["--configfile", str(ROOT / "tests/fault_config.yaml"), "--set-scatter", "chunks=2"]
"""Arguments by which all rules have jobs: an encoder is made here, and embeds in chunks."""
BEFORE, DAMAGED, AFTER = 480, 20, 100
"""Faults of a round: until its first run has ended, to files, and to the runs that mend these."""
MOST_KILLED = 60
"""Jobs of one run that are killed, fewer than this."""
YEARS = 5 * 365 * 86400
KEPT = ROOT / "build/faults"
SIZE = 2 << 30
"""Bytes of a file system in memory, where root can have one."""


class Job(NamedTuple):
    """What a step does for a task; for none, such as the report, `task` is empty."""

    step: str
    task: str = ""


Counts = Counter[tuple[str, Job]]
"""How often a fault met a job, or what else it befell."""


class Disturbed:
    """A folder where the same run is disturbed."""

    def __init__(
        self, folder: Path, command: Sequence[str], seed: int, plain: Sequence[str] = ()
    ) -> None:
        """`command` starts what is disturbed, `plain` what is not, where that is another."""
        self.folder, self.command = folder, [*command, "--directory", str(folder)]
        self.plain = [*(plain or command), "--directory", str(folder)]
        self.rng = random.Random(seed)
        self.counts: Counts = Counter()
        self.removed: set[Path] = set()
        self.faults = [*KILLS, *AROUND, KILL_JOB, KILL_JOB]  # quick, and of many steps
        if not os.path.ismount(folder):  # a disk that others use is not filled
            self.faults = [fault for fault in self.faults if fault not in (FULL, READ_ONLY)]

    def until_done(self, longest: float, most: int) -> None:
        """Disturb runs, each after `longest` seconds at most, until one ends.

        After `most` faults one is left alone. RuntimeError where that fails.
        """
        before = self.counts.total()
        while self.counts.total() - before < most:
            fault = self.rng.choice(self.faults)
            if self.disturb(fault, self.rng.uniform(0, longest)):
                break
            if fault in KILLS and self.rng.random() < 1 / 3:
                self.damage(1)
        self.finish()

    def damage(self, times: int) -> None:
        """Alter files that runs have made, or date inputs otherwise."""
        for _ in range(times):
            place = self.rng.choice(["results", "results", ".bioloom/embeddings", "data"])
            if not (files := sorted(_files(self.folder / place))):
                continue
            damage = self.rng.choice([*DAMAGES] if place != "data" else [DATED])
            DAMAGES[damage](file := self.rng.choice(files), self.rng)
            self.counts[damage, Job(WHERE[place])] += 1
            if damage == REMOVED and place == "results":
                self.removed.add(file)

    def disturb(self, fault: str, seconds: float) -> bool:
        """Whether a run came to its end, and nothing had befallen it, before its time."""
        around = AROUND.get(fault, _nothing)
        with tempfile.TemporaryFile() as log, around(self.folder, self.rng):
            run = self.start(log, *WITH.get(fault, []))
            try:
                code = run.wait(seconds)
                jobs = _first_failed(log) if code else []
            except subprocess.TimeoutExpired:
                code, jobs = None, KILLS.get(fault, _kill_all)(self, run, log)
                run.wait()  # its jobs may go on
        if code is None or (code and fault in AROUND):  # else it has not reached the run
            self.counts.update((fault, job) for job in jobs or [NONE])
        return code == 0 and fault not in AROUND

    def kill_once(self, reached: Callable[[], bool]) -> None:
        """Kill all of a run once it has reached something."""
        with tempfile.TemporaryFile() as log:
            run = self.start(log)
            while not reached() and run.poll() is None:
                time.sleep(0.05)
            _kill_all(self, run, log)
            run.wait()

    def finish(self) -> str:
        """What a plain run to its end says; RuntimeError where it fails, or leaves work.

        Removed results that nothing needed are made then, by name.
        """
        said = self._run_to_the_end()
        if absent := sorted(file for file in self.removed if not file.exists()):
            said += self._run_to_the_end(*(str(file.relative_to(self.folder)) for file in absent))
        if "Nothing to be done" not in (plan := self._run([*self.plain, "--dry-run"]).stdout):
            raise RuntimeError(f"A second run is not empty:\n{plan[-4000:]}")
        return said

    def start(self, log: IO[bytes], *arguments: str) -> subprocess.Popen[bytes]:
        """A run in a session of its own."""
        command = [*self.command, *arguments]
        return subprocess.Popen(
            command, env=environment(), stdout=log, stderr=log, start_new_session=True
        )

    def _run_to_the_end(self, *targets: str) -> str:
        done = self._run([*self.plain, *targets])
        if done.returncode:
            problems = done.stdout[max(done.stdout.find("Error in rule") - 4000, 0) :]
            raise RuntimeError(f"A plain run ended with {done.returncode}:\n{problems}")
        return done.stdout

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )


Run = subprocess.Popen[bytes]


def _kill_all(disturbed: Disturbed, run: Run, log: IO[bytes]) -> list[Job]:
    jobs = _at_work(disturbed, run)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    return jobs


def _kill_snakemake(disturbed: Disturbed, run: Run, log: IO[bytes]) -> list[Job]:
    jobs = _at_work(disturbed, run)
    run.kill()  # and the next run waits for the jobs that go on
    return jobs


def _kill_jobs(disturbed: Disturbed, run: Run, log: IO[bytes]) -> list[Job]:
    """One after the other, of steps and tasks that met it least often; all of the run in the end.

    The run tries them again (`WITH`).
    """
    killed: list[Job] = []
    for _ in range(disturbed.rng.randrange(1, MOST_KILLED)):
        time.sleep(disturbed.rng.uniform(0.3, 3))
        if run.poll() is not None:
            break
        if jobs := _jobs(run.pid):
            before = [job for _, job in disturbed.counts.elements()]
            met = Counter(name for job in [*before, *killed] for name in job)
            times = {it: sum(met[name] for name in job) for it, job in jobs.items()}
            process = min(jobs, key=lambda it: (times[it], disturbed.rng.random()))
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                killed.append(jobs[process])
    _kill_all(disturbed, run, log)
    return killed


def _second_run(disturbed: Disturbed, run: Run, log: IO[bytes]) -> list[Job]:
    second = disturbed.start(log)
    time.sleep(disturbed.rng.uniform(0, 5))
    _kill_all(disturbed, second, log)
    second.wait()
    return _kill_all(disturbed, run, log)


def _hide(disturbed: Disturbed, run: Run, log: IO[bytes]) -> list[Job]:
    """A result is not there for some seconds, as on another node of a network file system."""
    jobs = _at_work(disturbed, run)
    if files := sorted(_files(disturbed.folder / "results")):
        file = disturbed.rng.choice(files)
        hidden = file.with_name(f".{file.name}.hidden")
        with suppress(FileNotFoundError):  # a job has just replaced its folder
            file.rename(hidden)
            time.sleep(disturbed.rng.uniform(0, 3))
            hidden.rename(file) if not file.exists() else hidden.unlink()
    time.sleep(disturbed.rng.uniform(0, 10))
    _kill_all(disturbed, run, log)
    return jobs


@contextmanager
def _full(folder: Path, rng: random.Random) -> Iterator[None]:
    """Some hundred KB at most are left on the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb") as stream:
        for _ in range(10):
            left = shutil.disk_usage(folder).free - rng.randrange(500_000)
            with suppress(OSError):  # jobs of a killed run go on, and have written meanwhile
                os.posix_fallocate(stream.fileno(), 0, max(left, 1))
                break
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _read_only(folder: Path, rng: random.Random) -> Iterator[None]:
    """Root writes whatever the modes say, but to no place that is mounted read-only."""
    results = folder / "results"
    results.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", results, results], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", results], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)


@contextmanager
def _spoilt_input(folder: Path, rng: random.Random) -> Iterator[None]:
    """An input is another one while the run lasts, and then the same again, by its old date."""
    file = rng.choice(sorted(_files(folder / "data")))
    before, content = file.stat(), file.read_bytes()
    rng.choice([_cut, _flip])(file, rng)
    try:
        yield
    finally:
        file.write_bytes(content)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _nothing(folder: Path, rng: random.Random) -> AbstractContextManager[None]:
    return nullcontext()


KILL_RUN, KILL_JOB = "all of a run killed", "a job killed"
KILLS: dict[str, Callable[[Disturbed, Run, IO[bytes]], list[Job]]] = {
    KILL_RUN: _kill_all,
    "Snakemake killed, its jobs go on": _kill_snakemake,
    KILL_JOB: _kill_jobs,
    "a second run beside it": _second_run,
    "a result out of sight for seconds": _hide,
}
"""What is done to a run after a while; the jobs that it befell, once for each time."""
WITH = {KILL_JOB: ["--retries", str(MOST_KILLED)]}
"""Arguments of the runs that some are done to."""
FULL, READ_ONLY = "disk full", "results read-only"
AROUND: dict[str, Callable[[Path, random.Random], AbstractContextManager[None]]] = {
    FULL: _full,
    READ_ONLY: _read_only,
    "an input cut or a bit of it flipped": _spoilt_input,
}
"""What is so from before a run until it has ended."""
WHERE = {"results": "a result", ".bioloom/embeddings": "stored embeddings", "data": "an input"}


NONE = Job("no job")


def _first_failed(log: IO[bytes]) -> list[Job]:
    log.seek(0)
    said = log.read().decode(errors="replace")
    return [
        Job(step, _task_in(what))
        for step, what in re.findall(r"Error in rule (\w+):\n((?: .*\n)*)", said)[:1]
    ]


def _at_work(disturbed: Disturbed, run: Run) -> list[Job]:
    """One of the jobs that run: what befalls all of a run is one fault."""
    jobs = sorted(_jobs(run.pid).values())
    return [disturbed.rng.choice(jobs)] if jobs else []


def _jobs(session: int) -> dict[int, Job]:
    """Processes of the jobs of a run."""
    found = {}
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdecimal() and os.getsid(int(place.name)) == session:
                command = (place / "cmdline").read_bytes().decode()
                if script := re.match(r"[^\0]*\0(?:-\w\0)*[^\0]*scripts/(\w+)\.py\0", command):
                    found[int(place.name)] = Job(script[1], _task_in(command))
        except (OSError, ValueError):
            continue  # ended meanwhile
    return found


def _task_in(words: str) -> str:
    named = re.search(r"\bresults/([^/\s\0]+)/", words)
    return named[1] if named else ""


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
    # Of an input from the future Snakemake makes nothing, and says so.
    ahead = rng.choice([-1, 1]) if "results" in file.parts else -1
    date = time.time() + ahead * rng.random() * YEARS
    os.utime(file, (date, date))


DATED, REMOVED = "dated years off", "removed"
DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "cut": _cut,
    "a bit flipped": _flip,
    REMOVED: _remove,
    DATED: _move_date,
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


def _told(expected: dict[str, bytes], found: dict[str, bytes], name: str) -> str:
    """How a result is not as expected."""
    if name not in found or name not in expected:
        return "is not there" if name in expected else "is nobody's"
    one, other = expected[name], found[name]
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
    return f"{len(other)} bytes, expected {len(one)}, otherwise from byte {at} on"


def lay_out(folder: Path, tasks: Sequence[str]) -> Path:
    """A folder with the repository's data and examples, and these of `TASKS` in `quick/tasks`.

    Downloads are shared, embeddings are not.
    """
    folder.mkdir(exist_ok=True)
    for part in ("config.yaml", "tasks"):
        (folder / part).symlink_to(ROOT / part)
    shutil.copytree(ROOT / "data", folder / "data")
    shutil.copytree(ROOT / "tests/examples", folder / "data/examples")
    (folder / QUICK).mkdir(parents=True)
    for task in tasks:
        shutil.copy(TASKS[task], folder / QUICK)
    (folder / ".bioloom").mkdir()
    (ROOT / ".bioloom/downloads").mkdir(parents=True, exist_ok=True)
    (folder / ".bioloom/downloads").symlink_to(ROOT / ".bioloom/downloads")
    return folder


def _application(folder: Path, task: str) -> str:
    whole = yaml.safe_load((folder / f"results/{task}/task.yaml").read_text())
    return whole["application"]


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A folder on a file system of its own, in memory, for those who can mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=False)
        shutil.rmtree(folder)


HEAD = """# Runs that were disturbed

The suite itself writes this page. It runs small tasks, on real data but for reads that are
simulated, and disturbs them; the next run is a plain one. In the end, with no lock removed by hand,
a run planned nothing, and every result was that of a run that nothing disturbed on the same
machine, byte for byte. Removed files that only serve other ones were made again by name. Damaged
results and the like are counted where they were; all else by the jobs that ran, or failed of it.
"""
SECTION = "\n## "


def written(page: Path) -> list[str]:
    """The sections of the page: one of each call so far."""
    return page.read_text().split(SECTION)[1:] if page.exists() else []


def section(counts: Counts, applications: dict[str, str], rounds: int, call: str) -> str:
    """The counts of a call by fault, by step and by task; `applications` has those of tasks.

    Jobs of no task, such as the report, are counted by step alone.
    """
    by_fault: dict[str, Counter[str]] = {}
    by_step: Counter[str] = Counter()
    by_task: Counter[str] = Counter()
    for (fault, job), count in counts.items():
        by_fault.setdefault(fault, Counter())[job.step] += count
        by_step[job.step] += count if job.step not in [*WHERE.values(), NONE.step] else 0
        by_task[job.task] += count if job.task in applications else 0
    lines = [
        f"{counts.total()} faults",
        "",
        f"Rounds: {rounds}, by {call}:",
        "",
        "| fault | times | while these steps ran, or where |",
        "|---|---|---|",
    ]
    for fault, steps in sorted(by_fault.items()):
        where = ", ".join(f"{step} {count}" for step, count in steps.most_common())
        lines.append(f"| {fault} | {steps.total()} | {where} |")
    lines += ["", "| step | faults while it ran |", "|---|---|"]
    lines += [f"| {step} | {count} |" for step, count in by_step.most_common() if count]
    lines += ["", "| application | task | faults while jobs of it ran |", "|---|---|---|"]
    lines += [
        f"| {of} | {task} | {by_task[task]} |"
        for of, task in sorted((of, task) for task, of in applications.items())
    ]
    return "\n".join(lines) + "\n"


def _call() -> str:
    """The command, and the commit that it runs on."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return f"`python -m tests.faults {' '.join(sys.argv[1:])}`, commit {commit}"


def main() -> None:
    """The command line; exit code 1 where a result differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=60, help="seconds until a fault, at most")
    parser.add_argument("--page", type=Path, help="where they are added, after each round")
    parser.add_argument("--only", nargs="+", default=[*TASKS], choices=TASKS, help="of the tasks")
    chosen = parser.parse_args()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *WHOLE]
    call, before = _call(), written(chosen.page) if chosen.page else []
    counts: Counts = Counter()
    with tempfile.TemporaryDirectory(prefix="bioloom-faults-") as place:
        calm = Disturbed(lay_out(Path(place) / "calm", chosen.only), command, 0)
        calm.finish()
        expected, rounds = contents(calm.folder), 0
        applications = {task: _application(calm.folder, task) for task in chosen.only}
        while counts.total() < chosen.faults:
            with disk(Path(place) / f"disturbed_{rounds}") as folder:
                disturbed = Disturbed(lay_out(folder, chosen.only), command, chosen.seed + rounds)
                disturbed.until_done(chosen.longest, min(BEFORE, chosen.faults - counts.total()))
                print(f"{counts.total() + disturbed.counts.total()} faults", flush=True)
                disturbed.damage(DAMAGED)
                disturbed.until_done(chosen.longest, AFTER)
                if wrong := differences(folder, expected):
                    shutil.copytree(folder, KEPT / f"{chosen.seed + rounds}", symlinks=True)
                    found = contents(folder)
                    told = "\n".join(f"{name}: {_told(expected, found, name)}" for name in wrong)
                    sys.exit(f"{len(wrong)} results differ; they are kept in {KEPT}\n{told}")
            counts, rounds = counts + disturbed.counts, rounds + 1
            print(f"{counts.total()} faults, every result as expected", flush=True)
            if chosen.page:
                said = section(counts, applications, rounds, call)
                chosen.page.write_text(SECTION.join([HEAD, *before, said]))
    print(section(counts, applications, rounds, call))


if __name__ == "__main__":
    main()
