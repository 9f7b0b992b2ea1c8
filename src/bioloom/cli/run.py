"""Run what changed. Targets and options that are not known here are Snakemake's.

What is done is told a line a job; all that Snakemake says is in .snakemake/log.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from bioloom.cli.check import project_here
from bioloom.errors import DataError, messages, unknown_name
from bioloom.files import read_json
from bioloom.kinds import get_kind
from bioloom.pipeline.home import HOME
from bioloom.pipeline.sections import PRETRAINED
from bioloom.progress import MARK

HELP = "run what changed, and say what came out"
REPORT = Path("results/report.html")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile"))
MENDABLE = 2
PR_SET_PDEATHSIG = 1
LAST_LINES = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing of its own: `bioloom run --cores 2 results/heart/metrics.json`."""
    parser.usage = "bioloom run [target ...] [any option of snakemake]"


def main(options: list[str]) -> int:
    """Exit code 0, 2 for what a user can mend, 128 and more for a signal, else Snakemake's."""
    # A mistake in the configuration is told at once; which files are there, a profile may decide.
    project = project_here(may_lack_files=True)
    if not any(option.startswith(("--config", "-C")) for option in options):
        refuse_unknown(options, project.tasks)
    process = started(*options)
    signal.signal(signal.SIGTERM, partial(_interrupt, process))
    said: list[str] = []
    assert process.stdout is not None
    try:
        for line in told(_kept(process.stdout, said)):
            print(line, flush=True)
        code = process.wait()
    except KeyboardInterrupt:
        for again in (signal.SIGINT, signal.SIGTERM):  # `timeout` sends it twice
            signal.signal(again, signal.SIG_IGN)
        process.wait()  # it is ending, and cancels jobs of a cluster
        print("Interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    if code < 0:
        name = signal.Signals(-code).name
        print(f"Snakemake was ended by {name}. The same command goes on.", file=sys.stderr)
        return 128 - code
    if code:
        print(failure(code, said), file=sys.stderr)
        return code
    if REPORT.exists():
        for name in project.trained:
            print(outcome(name, Path("results") / name / "metrics.json"))
            for doubt in doubts(Path("results") / name / "leakage.json"):
                print(f"  in doubt: {doubt}")
        print(f"Report: {REPORT}")
    if (store := _store(options)) and not {"-n", "--dry-run", "--dryrun"}.intersection(options):
        print(f"Results are in {store}: `bioloom fetch {store}` brings them to a folder")
    return code


def refuse_unknown(options: list[str], tasks: Collection[str]) -> None:
    """DataError where a target is a result of a task that is not there."""
    for name in re.findall(r"^results/(\w+)/", "\n".join(options), re.MULTILINE):
        if name in tasks or PRETRAINED == f"results/{name}":
            continue
        for file in Path("tasks").glob(f"*/{name}.yaml"):
            hint = f"--config 'tasks=[tasks, {file.parent}]' reads {file}"
            raise DataError(f"Unknown task {name!r}", hint=hint)
        raise unknown_name("task", name, tasks)


def _store(options: list[str]) -> str:
    """The object store to which results go, as these options of Snakemake say; else none."""
    [*_, prefix] = "", *re.findall(r"--default-storage-prefix(?:=|\n)(.+)", "\n".join(options))
    return prefix


def _interrupt(process: subprocess.Popen[str], *_: object) -> None:
    """End as Ctrl-C does, which reaches Snakemake by itself."""
    process.send_signal(signal.SIGINT)
    raise KeyboardInterrupt


def started(*options: str, alone: bool = False) -> subprocess.Popen[str]:
    """Snakemake on this workflow, all that it says in one stream; it ends with this process.

    Where it is `alone`, Ctrl-C does not reach it by itself.
    Without a reader of what it says it would wait for ever, and hold the folder's lock. The next
    run takes over what was locked.
    """
    return subprocess.Popen(
        [*SNAKEMAKE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=alone,
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends; on Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def failure(code: int, said: list[str]) -> str:
    """What to say last of a run that failed: what a user can mend, else its last lines."""
    if code == MENDABLE and (told := messages(said)):  # none of options that it does not know
        return "\n".join(dict.fromkeys(told))
    return "\n".join([line for line in said if not line.startswith(MARK)][-LAST_LINES:])


def told(lines: Iterable[str]) -> Iterator[str]:
    """Of what Snakemake says: jobs by name as they start, how many are done, how far they are."""
    rule = done = ""
    edges = 0  # to come, of a failed job's log: Snakemake shows it, with what was told before
    for line in lines:
        if re.match(r"Logfile .+:$", line):
            edges = 2
        elif edges and re.fullmatch("=+", line):
            edges -= 1
        if match := re.match(r"(?:local)?rule (\w+):$", line):
            rule = match[1]
        elif rule and re.match(r"\s+(jobid|wildcards): ", line):
            what = line.partition("wildcards: ")[2]
            if not what:
                continue
            values = ", ".join(part.partition("=")[2] for part in what.split(", "))
            yield f"{done:>9} {rule.replace('_', ' ')} {values}"
            rule = ""
        elif match := re.match(r"(\d+) of (\d+) steps", line):
            done = f"[{match[1]}/{match[2]}]"
        elif line.startswith(MARK) and not edges:
            yield f"{done:>9} {line.removeprefix(MARK)}"
        elif "Nothing to be done" in line:
            yield "Nothing changed: all results are current."


def outcome(name: str, metrics: Path) -> str:
    """One line on a task: its score with the interval, and how it stands beside its baselines."""
    if not metrics.exists():
        return f"{name}: not run"
    found = read_json(metrics)
    told = get_kind(found["kind"]).metric(found["primary"]).told(found["test"])
    return f"{name}: {told}, {found['verdict']}"


def doubts(leakage: Path) -> list[str]:
    """What a reader should doubt before the score, such as a column that decides alone."""
    return read_json(leakage).get("flags", []) if leakage.exists() else []


def _kept(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    """The lines without their ends; all of them are added to `said` also."""
    for line in lines:
        said.append(line.rstrip("\n"))
        yield said[-1]
