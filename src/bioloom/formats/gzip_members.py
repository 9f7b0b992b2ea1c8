"""Gzip files of any number of members, inflated in pieces of bounded size.

`isal` inflates faster than zlib does, and is used where it is installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

PIECE = 1 << 18  # bytes that are read at once


def _inflater() -> Any:
    """The module that inflates."""
    try:
        return import_module("isal.isal_zlib")
    except ImportError:  # the same answers, slower
        return zlib


inflater = _inflater()


def read_members(stream: BinaryIO) -> Iterator[bytes]:
    """The inflated bytes of all members; zeros behind a member are padding (as gunzip has it).

    Raises EOFError where the last member has no end, and `inflater.error` for damage: a wrong
    checksum or length, or bytes behind a member that begin no other.
    """
    member, left = inflater.decompressobj(wbits=31), b""
    is_open = False
    while data := left or stream.read(PIECE):
        if not is_open:
            data = data.lstrip(b"\0")
        if data:
            is_open = True
            yield member.decompress(data)
        left = b""
        if member.eof:
            left, is_open = member.unused_data, False
            member = inflater.decompressobj(wbits=31)
    if is_open:
        raise EOFError
