"""Write data/colon_trial/, data/rotterdam/ and data/free_light_chain/: cohorts of R's survival.

    pip install rdata
    python data/build/r_survival.py usr/lib/R/library/survival/data

The folder is that of Debian's r-cran-survival 3.5-3 (dpkg-deb -x unpacks the package): a lazy-load
database of R, an index of places in a file of compressed objects. The same content each time.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import struct
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdata

SHA256 = "2e74547bf2b9773c47411e26f7f2ad4efea118ba70579174192102f5d5b4e36d"
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
NEW_PATIENTS = 30
SEED = 1
AFTER_SURGERY = ["grade", "nodes", "pgr", "er", "hormon", "chemo"]
"""What of `rotterdam` is found out, or decided, when the tumour is out."""


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """A data frame of the database."""
    index = _object(gzip.decompress((folder / "Rdata.rdx").read_bytes()))
    start, length = (int(number) for number in index["variables"][name])
    stored = (folder / "Rdata.rdb").read_bytes()[start : start + length]
    (size,) = struct.unpack(">I", stored[:4])
    if stored[4:5] != b"Z":
        sys.exit(f"{name} is not compressed by xz")
    content = lzma.decompress(stored[5:], format=lzma.FORMAT_RAW, filters=XZ)
    if len(content) != size:
        sys.exit(f"{name} is not whole")
    return _object(content)


def _object(content: bytes):
    return rdata.conversion.convert(rdata.parser.parse_data(content, extension=".rds"))


def colon_trial(table: pd.DataFrame) -> pd.DataFrame:
    """A patient a row: what was known at the start, the arm, recurrence and death with days."""
    known = [
        "rx",
        "sex",
        "age",
        "obstruct",
        "perfor",
        "adhere",
        "nodes",
        "differ",
        "extent",
        "surg",
    ]
    death, recurrence = (table[table["etype"] == kind].set_index("id") for kind in (2, 1))
    patients = death[known].rename(columns={"rx": "arm"})
    patients["sex"] = np.where(patients["sex"] == 1, "male", "female")
    for name, codes in {
        "differ": {1: "well", 2: "moderate", 3: "poor"},
        "extent": {1: "submucosa", 2: "muscle", 3: "serosa", 4: "contiguous structures"},
        "surg": {0: "short", 1: "long"},
    }.items():
        patients[name] = patients[name].map(codes)
    patients["recurrence_days"] = recurrence["time"]
    patients["recurrence"] = recurrence["status"]
    patients["death_days"] = death["time"]
    patients["death"] = death["status"]
    patients.index = patients.index.astype(int)
    return patients.rename_axis("patient_id").sort_index().convert_dtypes()


def rotterdam(table: pd.DataFrame) -> pd.DataFrame:
    """A patient a row: tumour, treatment, recurrence and death with days."""
    table = table.rename(
        columns={"pid": "patient_id", "size": "tumour_size", "dtime": "death_days"}
    )
    table = table.rename(columns={"rtime": "recurrence_days", "recur": "recurrence"})
    return table.set_index("patient_id").sort_index().convert_dtypes()


def relapse(table: pd.DataFrame) -> pd.DataFrame:
    """What was known of a patient of `rotterdam` at the start, and days to relapse or death.

    `relapse_or_death` is 1 where the cancer came back or the patient died, 0 where neither happened
    until the end of follow-up. As the package's help says, a death counts also after the last look
    for recurrence.
    """
    later = [name for name in table if name.removesuffix("_days") in ("recurrence", "death")]
    days = table["recurrence_days"].where(table["recurrence"] == 1, table["death_days"])
    event = (table["recurrence"] == 1) | (table["death"] == 1)
    return table.drop(columns=later).assign(days=days, relapse_or_death=event.astype(int))


def free_light_chain(table: pd.DataFrame) -> pd.DataFrame:
    """A person a row: what was measured, age up to 90, days to death or the end of follow-up."""
    # The chapter of the cause of death tells who died; the group is a sum of kappa and lambda.
    table = table.drop(columns=["chapter", "flc.grp"])
    table = table.rename(columns={"sample.yr": "sample_year", "futime": "days"})
    table["sex"] = table["sex"].map({"F": "female", "M": "male"})
    table["age"] = table["age"].clip(upper=90)  # so few are older that an age may tell who one is
    table.index = pd.RangeIndex(1, len(table) + 1, name="person_id")
    return table.convert_dtypes()


def main(folder: Path, data: Path) -> None:
    """Write patients.csv, and new_patients.csv without outcome, of each; more of rotterdam."""
    database = (folder / "Rdata.rdb").read_bytes()
    if hashlib.sha256(database).hexdigest() != SHA256:
        sys.exit(f"{folder} is not the database that this script was written for")
    for name, source, make, outcome in (
        ("colon_trial", "colon", colon_trial, ["arm", "recurrence", "death"]),
        ("rotterdam", "rotterdam", rotterdam, ["recurrence", "death"]),
        ("free_light_chain", "flchain", free_light_chain, ["days", "death"]),
    ):
        table = make(read_table(folder, source))
        chosen = np.random.default_rng(SEED).permutation(len(table))[:NEW_PATIENTS]
        is_new = np.isin(np.arange(len(table)), chosen)
        later = [column for column in table if column.removesuffix("_days") in outcome]
        (data / name).mkdir(exist_ok=True)
        table[~is_new].to_csv(data / name / "patients.csv")
        table[is_new].drop(columns=later).to_csv(data / name / "new_patients.csv")
        if name == "rotterdam":
            relapse(table[~is_new]).to_csv(data / name / "relapse.csv")
            first_visit = table[is_new].drop(columns=later)
            first_visit[AFTER_SURGERY] = pd.NA
            first_visit.to_csv(data / name / "first_visit.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1])
