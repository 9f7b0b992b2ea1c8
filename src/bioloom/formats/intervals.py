"""Genome windows: BED, or a table with chromosome, start and end; and the sequences under them.

Positions are 0-based and half-open, as in BED. The strand is + or -; "." counts as +. A window on
the minus strand is read as its reverse complement.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import numbers, require_columns, text
from bioloom.formats.dna import reverse_complement
from bioloom.formats.fasta import read_fasta
from bioloom.formats.table import read_table
from bioloom.formats.text import open_text

BED = ("chrom", "start", "end", "name", "score", "strand")
NO_INTERVALS = ("#", "track", "browser")


def is_bed(path: Path) -> bool:
    """Whether the file's ending is that of BED, also gzip-compressed."""
    return ".bed" in [ending.lower() for ending in path.suffixes[-2:]]


def read_windows(path: Path, names: Mapping[str, str] | None = None, **read: Any) -> pd.DataFrame:
    """`chrom, start, end, strand` and all other columns, indexed by the line in the file.

    BED has no header: its columns are named as in `BED`, further ones by their number. In a table
    `names` maps chrom, start, end and strand to its columns; a strand is optional; `read` is as for
    any table. Raises DataError, with the line, for what is no window.
    """
    table = _read_bed(path) if is_bed(path) else read_table(path, **read)
    names = {role: (names or {}).get(role, role) for role in ("chrom", "start", "end", "strand")}
    require_columns(table, [names[role] for role in ("chrom", "start", "end")], path)
    windows = table.assign(chrom=text(table[names["chrom"]]))
    for role in ("start", "end"):
        windows[role] = _positions(table[names[role]], path)
    windows["strand"] = text(table[names["strand"]]) if names["strand"] in table else "+"
    windows["strand"] = windows["strand"].fillna("+").replace(".", "+")
    _refuse(~windows["strand"].isin(["+", "-"]), "The strand is not +, - or .", path)
    _refuse(windows["chrom"].isna(), "A window without a chromosome", path)
    _refuse(windows["start"] < 0, "A window that starts before 0", path)
    _refuse(windows["end"] <= windows["start"], "A window that ends at or before its start", path)
    return windows


def read_genome(path: Path) -> dict[str, str]:
    """Chromosome -> sequence, upper case, of a FASTA file."""
    return {record.id: record.sequence.upper() for record in read_fasta(path)}


def window_sequences(windows: pd.DataFrame, genome: Mapping[str, str], file: Path) -> pd.Series:
    """The sequence under each window, on its strand; DataError for one outside the genome."""
    unknown = ~windows["chrom"].isin(list(genome))
    shown = ", ".join(list(genome)[:3])
    _refuse(unknown, f"The genome has no such chromosome; it has {shown}", file)
    lengths = windows["chrom"].map({name: len(sequence) for name, sequence in genome.items()})
    _refuse(windows["end"] > lengths, "A window that ends beyond its chromosome", file)
    columns = (windows[name] for name in ("chrom", "start", "end", "strand"))
    forward = (
        (genome[chrom][start:end], strand)
        for chrom, start, end, strand in zip(*columns, strict=True)
    )
    sequences = [reverse_complement(s) if strand == "-" else s for s, strand in forward]
    return pd.Series(sequences, index=windows.index)


def _read_bed(path: Path) -> pd.DataFrame:
    rows: dict[int, list[str]] = {}
    with open_text(path) as lines:
        for row, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith(NO_INTERVALS):
                continue
            fields = line.rstrip("\r\n").split("\t")
            if not rows and len(fields) > 2 and not "".join(fields[1:3]).isdecimal():
                raise DataError(
                    f"Expected start and end, got {fields[1]!r} and {fields[2]!r}",
                    file=path,
                    row=row,
                    hint="BED has no header: remove the line, or call the file .tsv",
                )
            rows[row] = fields
            expected = len(next(iter(rows.values())))
            if len(fields) < 3 or len(fields) != expected:
                wanted = "at least 3" if len(fields) < 3 else str(expected)
                raise DataError(
                    f"Expected {wanted} fields, got {len(fields)}",
                    file=path,
                    row=row,
                    hint="BED is separated by tabs",
                )
    if not rows:
        raise DataError("The file has no windows", file=path)
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=str)
    names = [*BED, *map(str, range(len(BED) + 1, table.shape[1] + 1))]
    return table.set_axis(names[: table.shape[1]], axis=1)


def _positions(column: pd.Series, path: Path) -> pd.Series:
    values = numbers(column, path)
    _refuse(values.isna() | values.mod(1).ne(0), f"{column.name} is no whole number", path)
    return values.astype(int)


def _refuse(bad: pd.Series, message: str, path: Path) -> None:
    """DataError with the first line that is bad, if any is."""
    if bad.any():
        raise DataError(message, file=path, row=bad.index[bad.to_numpy()][0])
