"""MEDS: Parquet files of events `subject_id, time, code, numeric_value, text_value`.

The form is that of the Medical Event Data Standard, versions 0.3 and 0.4: one file, or a folder of
them (`data/**/*.parquet`). A row without time always holds (a sex, `GENDER//F`). `MEDS_BIRTH` is
when a person was born, `MEDS_DEATH` the event `DEATH`. Times have no zone: `time_zone` says it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import require_columns
from bioloom.formats.events import DEATH, Records, left_out_table, typed
from bioloom.formats.parquet import read_parquet
from bioloom.formats.table import typed_table
from bioloom.formats.times import read_column

NEEDED = ("subject_id", "time", "code")
UNIT = "unit"


def read_meds(path: Path, time_zone: str | None) -> Records:
    """The events of a MEDS data set; DataError for a column that lacks, or no subject or code.

    A `unit` column, which some data sets have beside those of the standard, is read as such.
    """
    parts, births, record = list[pd.DataFrame](), dict[str, str](), 0
    for file in _files(path):
        table = typed_table(read_parquet(file, NEEDED), file)
        require_columns(table, NEEDED, file)
        for name in ("subject_id", "code"):
            if (lacking := table.index[table[name].isna()]).size:
                raise DataError("A row without it", file=file, row=lacking[0], column=name)
        if pd.api.types.is_float_dtype(table["subject_id"]):
            raise DataError(
                "Ids of persons are whole numbers, and here are floats, which are not exact",
                file=file,
                column="subject_id",
            )
        table = table.assign(patient=table["subject_id"].astype("str"))
        born = table["code"].eq("MEDS_BIRTH")
        for patient, day in table.loc[born & table["time"].notna(), ["patient", "time"]].to_numpy():
            births[patient] = str(day)[:10]
        events = table[~born]
        first, last = read_column(events["time"], time_zone, file)
        parts.append(
            pd.DataFrame(
                {
                    "patient": events["patient"],
                    "code": events["code"].replace("MEDS_DEATH", DEATH),
                    **{"time": first, "latest": last, "known": last},
                    "value": _column(events, "numeric_value"),
                    "unit": _column(events, UNIT),
                    "text": _column(events, "text_value"),
                    "record": range(record, record + len(events)),
                    "file": file.name,
                    "line": events.index,
                }
            )
        )
        record += len(events)
    events = typed(pd.concat(parts, ignore_index=True))
    patients = sorted({*events["patient"], *births})
    return Records(events, patients, births, left_out_table())


def _column(table: pd.DataFrame, name: str) -> Any:
    return table[name] if name in table else None


def _files(path: Path) -> list[Path]:
    """The file, or those of a folder: of `data` where there is one, for metadata lie beside it."""
    if not path.is_dir():
        return [path]
    folder = path / "data" if (path / "data").is_dir() else path
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise DataError("The folder has no Parquet file", file=path)
    return files
