"""The task that predicts files with a trained model, by what the model's own task says.

What holds for other data is said where options are defined (`Option.of`) and by
`Application.knowledge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bioloom.application import Application, get_application
from bioloom.clinical.rules import SOURCES as RULES
from bioloom.errors import DataError
from bioloom.formats.columns import feature_names
from bioloom.formats.table import is_table, names_in_text, read_table, unread
from bioloom.options import left_of, of
from bioloom.pipeline.check_tables import SAMPLES
from bioloom.privacy.actions import DROP

NAME = "predicted"
"""The task, and its one data set."""
DATASET = "new"


def new_task(
    trained: Mapping[str, Any],
    model: Path,
    given: Mapping[str, str],
    places: tuple[Path, ...] = (Path(),),
    signature: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The task that predicts files, by source, as the task `trained` would have read them.

    Its paths are relative to one of `places`; the model was trained on columns of this `signature`.
    DataError for a file that is in none of the places, and for a fine-tuned network that does not
    lie beside the model.
    """
    application = get_application(trained["application"])
    datasets = trained["datasets"]
    # The first data set without labels, else training data, whose labels are no part of new ones.
    unlabelled = (n for n, block in datasets.items() if n != "training" and not block.get("scored"))
    like = datasets[next(unlabelled, next(iter(datasets)))]
    beside = application.divided.items()
    # As a genome is of windows, and of no sequences that are given instead.
    idle = {name for source, others in beside if source not in given for name in others}
    kept = {
        source: _found(file, places)
        for source, file in like.items()
        if source in application.knowledge and source not in {*given, *idle}
    }
    files = kept | {source: str(Path(file).resolve()) for source, file in given.items()}
    said = {k: v for k, v in like.items() if k not in application.all_sources}
    options = left_of(said, application.dataset_options, "rows", "labels")
    if "columns" in options:
        options["columns"] = left_of(options["columns"], application.columns, "rows", "labels")
    if "read" in options:
        options["read"] = _read(options["read"], files)
    clean = trained.get("clean") or {}
    if columns := _columns(files, options, application):
        options = _of_those_there(options, columns, application)
        source = Path(files[application.sources[0]])
        known = signature or {}, application, source, any(name in files for name in RULES)
        options = _as_in_training(options, clean, columns, *known)
    features = trained.get("features")
    parts = features if isinstance(features, list) else [features] if features else []
    parts = [_part(part, model, places) for part in parts]
    return {
        **{key: trained[key] for key in ("application", "kind", "clean") if trained.get(key)},
        **({"features": parts if isinstance(features, list) else parts[0]} if parts else {}),
        "trained": str(model),
        "datasets": {DATASET: options | files},
    }


def _read(said: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """How tables are read, of those that are given and as far as their form takes it."""
    kept = {}
    for source, options in said.items():
        if not isinstance(options, Mapping):
            raise DataError(f"`read: {source}` takes options by name, got {options!r}")
        if isinstance(file := files.get(source), str):
            foreign = unread(Path(file), options)
            kept[source] = {key: value for key, value in options.items() if key not in foreign}
    return {source: options for source, options in kept.items() if options}


def _columns(
    files: Mapping[str, Any], options: Mapping[str, Any], application: Application
) -> list[str] | None:
    """The columns of the first source; None where it is no table with a row a sample."""
    source = next(iter(application.sources), "")
    known = application.tables.get(source)
    if known is None or SAMPLES in known or options.get("records"):
        return None
    file = Path(files.get(source, ""))
    if not is_table(file) or not file.is_file():
        return None
    read = options.get("read", {}).get(source, {})
    # Excel and Parquet do not tell by their first lines.
    return names_in_text(file, **read) or list(map(str, read_table(file, **read)))


def _of_those_there(
    options: Mapping[str, Any], columns: list[str], application: Application
) -> dict[str, Any]:
    """The options without what they say of columns that are not there."""
    kept = {}
    for key, value in options.items():
        if of(application.dataset_options.get(key)) != "columns":
            kept[key] = value
        elif there := _there(value, columns):
            kept[key] = there
    if "columns" in options:
        kept["columns"] = {
            role: name
            for role, name in options["columns"].items()
            if of(application.columns.get(role)) != "columns" or str(name) in columns
        }
    return kept


def _there(said: Any, columns: list[str]) -> Any:
    """What is said of columns, by name or in a list of them, of those that are there."""
    if isinstance(said, Mapping):
        return {name: value for name, value in said.items() if str(name) in columns}
    return [name for name in said if str(name) in columns]


def _as_in_training(
    options: Mapping[str, Any],
    clean: Mapping[str, Any],
    columns: list[str],
    signature: Mapping[str, Any],
    application: Application,
    file: Path,
    has_rules: bool,
) -> dict[str, Any]:
    """The options with what training data showed and a few rows may not.

    A category may have nothing but numbers. Of persons, columns that training did not have are
    dropped before anything looks at them, but where rules, which may ask for any, are read.
    """
    named = {*_texts(options), *map(str, clean.get("drop", []))}
    ours = {
        name: known for name, known in feature_names(columns, file).items() if name not in named
    }
    types = {
        name: "category"
        for name, known in ours.items()
        if signature.get(known, {}).get("type") == "category"
    }
    made = dict(options)
    if types and "types" in application.dataset_options:
        made["types"] = types | options.get("types", {})
    by_rules = has_rules or any(known["type"] == "option" for known in signature.values())
    extra = [name for name, known in ours.items() if known not in signature]
    if extra and signature and application.private and not by_rules:
        made["privacy"] = dict.fromkeys(extra, DROP) | options.get("privacy", {})
    return made


def _texts(value: Any) -> Iterator[str]:
    """All words and numbers in nested options, as text, keys, too."""
    if isinstance(value, Mapping):
        yield from _texts([*value, *value.values()])
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for part in value:
            yield from _texts(part)
    else:
        yield str(value)


def _part(part: dict[str, Any], model: Path, places: tuple[Path, ...]) -> dict[str, Any]:
    """A part of `features`, whose network is in a folder that any project finds."""
    if "finetune" in part:
        network = model.parent / "finetuned"
        if not network.is_dir():
            hint = "copy results/<task>/finetuned along with the model"
            raise DataError("The network of this model was fine-tuned", file=network, hint=hint)
        return {k: v for k, v in part.items() if k != "finetune"} | {"model": str(network)}
    if "model" in part:
        return part | {"model": _found(part["model"], places)}
    return part


def _found(path: Any, places: tuple[Path, ...]) -> Any:
    """The whole path of what a task names; what is no text is a source to fetch."""
    if not isinstance(path, str):
        return path
    for place in places:
        if (place / path).exists():
            return str((place / path).resolve())
    hint = "copy it along, or run this where the task finds it"
    raise DataError("The model was trained with this, and it is not here", file=path, hint=hint)
