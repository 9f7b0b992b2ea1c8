"""Blocks of a BGZF file (SAM specification, section 4.1): each is checked before it is given on.

A BGZF file is gzip members ("blocks") of at most 64 KiB that say their own size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bioloom.errors import DataError
from bioloom.formats.gzip_members import inflater

MAGIC = b"\x1f\x8b\x08\x04"
END_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
LARGEST = 1 << 16  # bytes of a block, in the file and inflated
_COPY_AGAIN = "copy or download the file again, and compare sizes or checksums"


class Block(NamedTuple):
    """An inflated block, its first byte and its size in the file, and its checksum."""

    offset: int
    size: int
    crc: int
    data: bytes


def read_blocks(file: Path, begin: int = 0, end: int | None = None) -> Iterator[Block]:
    """Blocks that begin at byte `begin` of the file or later, before byte `end` (None: all).

    DataError names the file and the byte of a block that is cut off, is no BGZF, does not inflate,
    or has another length or CRC-32 than it says; without `end` also where the block is missing
    that closes every file.
    """
    with file.open("rb", buffering=1 << 20) as stream:
        stream.seek(begin)
        block, offset = None, begin
        while end is None or offset < end:
            packed = _packed(stream, file, offset)
            if packed is None:
                break
            block = _inflated(*packed, file, offset)
            yield block
            offset += block.size
    if end is None and (block is None or block.size != len(END_BLOCK) or block.data):
        raise _cut(file, offset)


def _packed(stream: BinaryIO, file: Path, offset: int) -> tuple[bytes, int] | None:
    """Deflated bytes with the 8 after them, and the size of the block; None at the file's end."""
    head = stream.read(12)
    if not head:
        return None
    if head[:4] != MAGIC[: len(head)]:
        hint = "the file was written over or appended to; " + _COPY_AGAIN
        raise DataError(f"No BGZF block begins at byte {offset}", file=file, hint=hint)
    if len(head) < 12:
        raise _cut(file, offset)
    (extra_size,) = struct.unpack_from("<H", head, 10)
    extra = stream.read(extra_size)
    if len(extra) < extra_size:
        raise _cut(file, offset)
    size = _block_size(extra)
    rest = size - 12 - extra_size
    if rest < 8:
        raise DataError(
            f"The block at byte {offset} does not say its size, as BGZF does",
            file=file,
            hint="plain gzip is not BGZF: write the file with samtools or bgzip",
        )
    packed = stream.read(rest)
    if len(packed) < rest:
        raise _cut(file, offset)
    return packed, size


def _block_size(extra: bytes) -> int:
    """The size that the subfield BC tells; 0 where there is none."""
    at = 0
    while at + 6 <= len(extra):
        name, length, size = struct.unpack_from("<2sHH", extra, at)
        if name == b"BC" and length == 2:
            return size + 1
        at += 4 + length
    return 0


def _inflated(packed: bytes, size: int, file: Path, offset: int) -> Block:
    crc, length = struct.unpack_from("<II", packed, len(packed) - 8)
    if length > LARGEST:
        raise _damaged(f"says that it holds {length} bytes, more than {LARGEST}", file, offset)
    try:
        # Two arguments by place: a keyword costs more than the call.
        data = inflater.decompress(memoryview(packed)[:-8], -15, max(length, 1))
    except inflater.error as error:
        raise _damaged("does not inflate", file, offset) from error
    if len(data) != length:
        raise _damaged(f"holds {len(data)} bytes in place of {length}", file, offset)
    if inflater.crc32(data) != crc:
        raise _damaged("has another checksum (CRC-32) than it says", file, offset)
    return Block(offset, size, crc, data)


def _damaged(what: str, file: Path, offset: int) -> DataError:
    return DataError(f"Damaged: the block at byte {offset} {what}", file=file, hint=_COPY_AGAIN)


def _cut(file: Path, offset: int) -> DataError:
    message = (
        f"The file is cut off: it ends at or after byte {offset} without the end-of-file block"
    )
    return DataError(message, file=file, hint=_COPY_AGAIN)
