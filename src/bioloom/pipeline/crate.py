"""A run as an RO-Crate: which file came of which step, of what, by which version of this program.

After the profile Process Run Crate (https://w3id.org/ro/wfrun/process/0.5): an action for each job,
with the step as its instrument, what it read as objects and what it wrote as results. All of it is
what snakemake.lock holds, so there is nothing of hosts, users and times in it.
"""

from __future__ import annotations

import json
import mimetypes
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from hashlib import sha256 as sha256_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom import __version__
from bioloom.errors import DataError, to_run
from bioloom.files import sha256
from bioloom.pipeline.lock import Record

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".npz": "application/zip",
    ".md": "text/markdown",
}


@dataclass(frozen=True)
class Stated:
    """What only the user can say of a crate."""

    name: str
    description: str
    license: str
    published: date


def crate_of(records: dict[str, Record], stated: Stated) -> dict[str, Any]:
    """The content of ro-crate-metadata.json in the project's folder, of the outputs that are here.

    `records` are those of snakemake.lock (`read_lock`). DataError where rocrate is not installed,
    or no output is here.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError as error:
        hint = "pip install 'bioloom[crate]'"
        raise DataError("An RO-Crate needs the package rocrate", hint=hint) from error
    made = {output: record for output, record in records.items() if Path(output).exists()}
    if not made:
        raise DataError("No result is here to describe", hint=f"{to_run()} makes them")
    crate = ROCrate(gen_preview=False, version="1.1")
    crate.name, crate.description, crate.license = stated.name, stated.description, stated.license
    crate.datePublished = stated.published
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    crate.root_dataset["conformsTo"] = crate.add(
        _entity(crate, PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    )
    program = _entity(
        crate, "#bioloom", "SoftwareApplication", name="bioloom", softwareVersion=__version__
    )
    crate.add(program)
    known = _Entities(crate, records)
    actions = []
    for number, (rule, inputs, outputs) in enumerate(_jobs(made), start=1):
        name = _name(rule, outputs)
        action = crate.add(_entity(crate, f"#job-{number}", "CreateAction", name=name))
        action["instrument"] = known.step(rule, program)
        action["object"] = [known.file(file) for file in inputs]
        action["result"] = [known.file(output) for output in outputs]
        actions.append(action)
    crate.root_dataset["mentions"] = actions
    return dict(crate.metadata.generate())


class _Entities:
    """The entities of a crate, each made once."""

    def __init__(self, crate: ROCrate, records: dict[str, Record]) -> None:
        self.crate, self.records = crate, records
        self.steps, self.files = dict[str, Any](), dict[str, Any]()
        self.digests = {
            file: checksum.removeprefix("sha256:")
            for record in records.values()
            for file, checksum in record["input_checksums"].items()
        } | {output: record["sha256"] for output, record in records.items()}

    def step(self, rule: str, program: Any) -> Any:
        """The rule that made a file, as a part of this program."""
        if rule not in self.steps:
            step = _entity(self.crate, f"#rule-{rule}", "SoftwareApplication", name=rule)
            step["isPartOf"] = program
            self.steps[rule] = self.crate.add(step)
        return self.steps[rule]

    def file(self, path: str) -> Any:
        """A file or folder; one outside the project is told by its name and digest alone."""
        if path not in self.files:
            self.files[path] = self._made(Path(path))
        return self.files[path]

    def _made(self, path: Path) -> Any:
        facts: dict[str, Any] = {"name": path.name}
        if (digest := self.digests.get(str(path))) is not None:
            facts["sha256"] = digest
            if str(path) not in self.records and path.exists() and sha256(path) != digest:
                hint = f"{to_run()} makes anew what was made of it"
                raise DataError("This input is not what was read", file=path, hint=hint)
        if path.is_absolute() or ".." in path.parts or not path.exists():
            place = f"#{sha256_of(str(path).encode()).hexdigest()[:16]}"
            return self.crate.add(_entity(self.crate, place, "CreativeWork", **facts))
        if path.is_dir():
            return self.crate.add_directory(path, str(path), properties=facts)
        facts["encodingFormat"] = TYPES.get(path.suffix) or (
            mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        )
        facts["contentSize"] = str(path.stat().st_size)
        return self.crate.add_file(path, str(path), properties=facts)


def _jobs(made: dict[str, Record]) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Rule, inputs and outputs of each job: what a rule made of equal inputs and params is of one.

    What was made of nothing, such as a download, is of a job of its own.
    """
    jobs = defaultdict[tuple[str, tuple[str, ...], str], list[str]](list)
    for output, record in sorted(made.items()):
        inputs = tuple(dict.fromkeys(record["input"]))
        apart = json.dumps(record["params"]) if inputs else output
        jobs[record["rule"], inputs, apart].append(output)
    return [(rule, inputs, outputs) for (rule, inputs, _), outputs in jobs.items()]


def _name(rule: str, outputs: list[str]) -> str:
    """`train results/heart`, from the folder that all outputs of a job have in common."""
    places = [Path(output).parent.parts for output in outputs]
    common = [parts[0] for parts in zip(*places, strict=False) if len(set(parts)) == 1]
    return " ".join([rule.replace("_", " "), "/".join(common)]).strip()


def _entity(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    return ContextEntity(crate, identifier, properties={"@type": kind} | properties)
