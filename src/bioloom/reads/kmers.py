"""Exact counts of canonical k-mers, k at most 31, in a table of open addressing.

A k-mer is 2 bits a base, the first base highest; of it and its reverse complement the smaller
stands for both. A k-mer with an unknown base is none.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from bioloom.reads.sequences import Reads

u = np.uint64
EMPTY = u(0xFFFFFFFFFFFFFFFF)
FULL = 0.6  # of the slots; beyond it the table is made twice as large
SMALLEST = 1 << 12


class Table(NamedTuple):
    """Counts of k-mers by slot; the number of slots is a power of two."""

    k: int
    keys: np.ndarray  # (slots,) uint64, EMPTY where there is none
    counts: np.ndarray  # (slots,) uint32


def count_kmers(reads: Reads, k: int) -> Table:
    """How often each canonical k-mer occurs in the reads."""
    if not 1 <= k <= 31:
        raise ValueError(f"k is 1 to 31: {k}")
    table = Table(k, np.full(SMALLEST, EMPTY), np.zeros(SMALLEST, np.uint32))
    read, filled = 0, 0
    while read < len(reads.offsets) - 1:
        read, filled = _count(
            reads.codes, reads.offsets, k, table.keys, table.counts, read, filled, FULL
        )
        if read < len(reads.offsets) - 1:
            table = _grown(table)
    return table


def _grown(table: Table) -> Table:
    slots = 2 * len(table.keys)
    keys, counts = np.full(slots, EMPTY), np.zeros(slots, np.uint32)
    _move(table.keys, table.counts, keys, counts)
    return Table(table.k, keys, counts)


def kmers_of(table: Table, least: int) -> np.ndarray:
    """The canonical k-mers (n,) uint64 that occur at least so often."""
    return table.keys[table.counts >= least]


def look_up(table: Table, kmers: np.ndarray) -> np.ndarray:
    """The counts (n,) of canonical k-mers in a table."""
    return _look_up(table.keys, table.counts, kmers)


@numba.njit(cache=True, inline="always")
def first_slot(kmer, mask):
    """Where the search for a k-mer begins: the finaliser of MurmurHash3 mixes its bits."""
    x = (kmer ^ (kmer >> u(33))) * u(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> u(29))) * u(0xC4CEB9FE1A85EC53)
    return (x ^ (x >> u(32))) & mask


@numba.njit(cache=True)
def find(keys, kmer):
    """The slot of a canonical k-mer, or the free one where it would stand."""
    mask = u(len(keys) - 1)
    slot = first_slot(kmer, mask)
    while keys[slot] != kmer and keys[slot] != EMPTY:
        slot = (slot + u(1)) & mask
    return slot


@numba.njit(cache=True)
def count_of(keys, counts, forward, backward):
    """The count of the k-mer whose two strands are given."""
    return counts[find(keys, min(forward, backward))]


@numba.njit(cache=True)
def _count(codes, offsets, k, keys, counts, read, filled, full):
    """Count reads from `read` on until the table is full; the next read and the slots filled."""
    mask, top = u((1 << (2 * k)) - 1), u(2 * (k - 1))
    while read < len(offsets) - 1:
        if filled + offsets[read + 1] - offsets[read] > full * len(keys):
            return read, filled
        forward, backward, known = u(0), u(0), 0
        for i in range(offsets[read], offsets[read + 1]):
            code = u(codes[i])
            if code > u(3):
                known = 0
                continue
            forward = ((forward << u(2)) | code) & mask
            backward = (backward >> u(2)) | ((u(3) - code) << top)
            known += 1
            if known >= k:
                kmer = min(forward, backward)
                slot = find(keys, kmer)
                if keys[slot] == EMPTY:
                    keys[slot] = kmer
                    filled += 1
                counts[slot] += np.uint32(1)
        read += 1
    return read, filled


@numba.njit(cache=True)
def _move(old_keys, old_counts, keys, counts):
    for i in range(len(old_keys)):
        if old_keys[i] != EMPTY:
            slot = find(keys, old_keys[i])
            keys[slot], counts[slot] = old_keys[i], old_counts[i]


@numba.njit(cache=True)
def _look_up(keys, counts, kmers):
    found = np.empty(len(kmers), np.uint32)
    for i in range(len(kmers)):
        found[i] = counts[find(keys, kmers[i])]
    return found
