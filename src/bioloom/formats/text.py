"""Text files, plain or gzip-compressed, with broken ones told as DataError."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bioloom.errors import DataError

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"  # also the start of .xlsx


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a UTF-8 text; gzip is recognised by content, a byte order mark is skipped.

    Raises DataError, also while the file is read inside the block, for a missing or empty file, a
    truncated or damaged gzip, and what is not UTF-8 text.
    """
    try:
        with Path(path).open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if not start:
                raise DataError("The file is empty", file=path)
            if start == ZIP:
                raise DataError(
                    "Expected text, got a zip archive or a spreadsheet",
                    file=path,
                    hint="save the sheet as CSV, or unpack the archive",
                )
            stream = gzip.open(raw) if start.startswith(GZIP) else raw
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise DataError("There is no such file", file=path) from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(
            "The gzip file is truncated or damaged",
            file=path,
            hint="copy or download it again; `gzip -t` tests it",
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"Expected UTF-8 text, got the byte 0x{error.object[error.start]:02x}",
            file=path,
            hint="convert it, for example with `iconv -f latin1 -t utf-8`",
        ) from None
