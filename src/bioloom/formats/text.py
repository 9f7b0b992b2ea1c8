"""Text files, plain or gzip-compressed, with broken ones told as DataError."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from bioloom.errors import DataError
from bioloom.limits import UNPACKED_FREE, UNPACKED_TIMES, raised_by

GZIP = b"\x1f\x8b"
# Characters that stand in no name: of control, and byte order marks amid joined files.
CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\ufeff]"
ZIP = b"PK\x03\x04"  # also the start of .xlsx
# By the byte order mark; that of UTF-32 begins with that of UTF-16.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a text in UTF-8, or with a byte order mark in UTF-16 (Excel's "Unicode text") or UTF-32.

    gzip is recognised by content; the byte order mark is skipped. Raises DataError, also while the
    file is read inside the block, for a missing or empty file, a truncated or damaged gzip, one
    that unpacks to more than `UNPACKED_TIMES` its size, and what is no such text.
    """
    try:
        with Path(path).open("rb") as raw:
            start = raw.peek(4)[:4]
            if not start:
                raise DataError("The file is empty", file=path)
            if start == ZIP:
                raise DataError(
                    "Expected text, got a zip archive or a spreadsheet",
                    file=path,
                    hint="save the sheet as CSV, or unpack the archive",
                )
            stream: BinaryIO = raw
            if start.startswith(GZIP):
                stream = _unpacked(raw, path)
            yield io.TextIOWrapper(stream, encoding=_encoding(stream, path), newline="")
    except FileNotFoundError:
        raise DataError("There is no such file", file=path) from None
    except IsADirectoryError:
        raise DataError("Expected a file, got a folder", file=path) from None
    except PermissionError:
        raise DataError("The file may not be read by you", file=path) from None
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
            row=_first_undecodable(path) if error.encoding == "utf-8" else None,
            hint="convert it, for example with `iconv -f latin1 -t utf-8`",
        ) from None
    except UnicodeError as error:  # half a letter of UTF-16
        raise DataError(f"The text is damaged: {error}", file=path) from None


def _first_undecodable(path: str | Path) -> int | None:
    """The first line that is no UTF-8."""
    with Path(path).open("rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if raw.peek(2).startswith(GZIP) else raw
        for row, line in enumerate(stream, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return row
    return None


def _unpacked(raw: BinaryIO, path: str | Path) -> BinaryIO:
    """The content of a gzip file, which is unpacked once before: no row is read of a damaged one.

    Rows take many times the memory of their text, so that the limit has to be known before them.
    """
    left = max(UNPACKED_FREE, UNPACKED_TIMES * Path(path).stat().st_size)
    content = gzip.GzipFile(fileobj=raw)
    buffer = bytearray(2**20)
    while count := content.readinto(buffer):
        left -= count
        if left < 0:
            raise DataError(
                f"The gzip file unpacks to more than {UNPACKED_TIMES} times its size",
                file=path,
                hint="unpack it yourself if that is right: a plain file has no such limit; or "
                + raised_by("UNPACKED_TIMES"),
            )
    content.rewind()
    return cast(BinaryIO, content)


def _encoding(stream: BinaryIO, path: str | Path) -> str:
    start = cast(io.BufferedReader, stream).peek(4)[:4]
    for mark, encoding in ENCODINGS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        raise DataError(
            "Expected text, got zero bytes: UTF-16 without a byte order mark, or no text at all",
            file=path,
            hint="save it as UTF-8, for example with `iconv -f utf-16le -t utf-8`",
        )
    return "utf-8-sig"
