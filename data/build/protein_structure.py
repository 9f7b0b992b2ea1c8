"""Write data/protein_structure/: protein chains with sequence, secondary structure and coordinates.

    apt-get download promod3-data            # Debian bookworm, 3.2.1+ds-6, 371 MB
    dpkg-deb -x promod3-data_3.2.1+ds-6_all.deb unpacked
    python data/build/protein_structure.py \
        unpacked/usr/share/promod3/loop_data/structure_db.dat

The structure database of ProMod3 (Studer et al. 2021, PLoS Comput Biol 17, e1008667) is read as
bytes. Chosen are segments of 40 to 300 residues without a break of the chain, one of each PDB
entry, 3,000 at random (seed 1) for training and 30 more, without their structure, as new data.
The same files, byte for byte, each time.
"""

from __future__ import annotations

import hashlib
import io
import struct
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

SHA256 = "0f1c6e35a3f248fddd0c2c0da2c0d1145b502d4663fe8adb7239f27adad3301a"
HEADER = 0x4D
ATOMS = ("N", "CA", "C", "O")
UNIT = 0.05
"""Angstrom: chains are rounded to it, so that a step of 3.8 A fits in one byte."""
SHORTEST, LONGEST = 40, 300
PEPTIDE_BOND = (1.1, 1.6)
NEW, TRAINING = 30, 3000
SEED = 1


class Segment(NamedTuple):
    """An unbroken stretch of one chain: its name and its rows in the database's arrays."""

    entry: str
    chain: str
    rows: slice


def read_database(path: Path) -> tuple[list[Segment], np.ndarray, np.ndarray, np.ndarray]:
    """Segments, sequence (T,) and states (T,) as bytes, coordinates (T, 4, 3) in 0.01 A.

    After the header: the number of segments, for each its entry, chain, offset, size, first
    residue and a shift of its coordinates; then arrays with their length before them.
    """
    data = path.read_bytes()
    position = HEADER

    def numbers(layout: str) -> tuple:
        nonlocal position
        found = struct.unpack_from(f"<{layout}", data, position)
        position += struct.calcsize(f"<{layout}")
        return found

    def text() -> str:
        return b"".join(numbers(f"{numbers('I')[0]}s")).decode()

    def array(kind: str, columns: int) -> np.ndarray:
        nonlocal position
        count = numbers("Q")[0] * columns
        found = np.frombuffer(data, np.dtype(kind), count, position)
        position += found.nbytes
        return found

    segments = []
    for _ in range(numbers("Q")[0]):
        entry, chain = text(), text()
        offset, size, _, *_ = numbers("IHHfff")  # a shift moves a chain, not its shape
        segments.append(Segment(entry, chain, slice(offset, offset + size)))
    sequence = array("u1", 1)
    coordinates = array("<u2", 12).reshape(-1, 4, 3)
    for kind, columns in (("<i2", 2), ("<u2", 1), ("<u2", 1)):  # torsions, depth, accessibility
        array(kind, columns)
    return segments, sequence, array("u1", 1), coordinates


def is_whole(coordinates: np.ndarray) -> bool:
    """Whether each residue's C is bound to the next one's N."""
    gaps = coordinates[1:, ATOMS.index("N")] - coordinates[:-1, ATOMS.index("C")].astype(float)
    bonds = np.linalg.norm(gaps, axis=1) / 100
    return bool(((bonds > PEPTIDE_BOND[0]) & (bonds < PEPTIDE_BOND[1])).all())


def beta_carbons(coordinates: np.ndarray) -> np.ndarray:
    """Ideal C-beta of each residue, glycine too, from N, CA, C (T, 4, 3) in Angstrom.

    The constants are those of ideal bond lengths and angles, as in trRosetta (Yang et al. 2020).
    """
    n, ca, c = (coordinates[:, ATOMS.index(atom)] for atom in ("N", "CA", "C"))
    b, c = ca - n, c - ca
    return -0.58273431 * np.cross(b, c) + 0.56802827 * b - 0.54067466 * c + ca


def choose(segments: list[Segment], coordinates: np.ndarray) -> list[Segment]:
    """Training chains, then new ones: the longest fitting segment of an entry, then at random."""
    fitting: dict[str, Segment] = {}
    for segment in segments:
        size = segment.rows.stop - segment.rows.start
        if SHORTEST <= size <= LONGEST and is_whole(coordinates[segment.rows]):
            known = fitting.get(segment.entry)
            if known is None or size > known.rows.stop - known.rows.start:
                fitting[segment.entry] = segment
    print(f"{len(fitting)} entries of {len({s.entry for s in segments})} have a fitting segment")
    entries = np.random.default_rng(SEED).permutation(sorted(fitting))[: TRAINING + NEW]
    return [fitting[entry] for entry in entries]


def write_npz(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write an npz whose members carry no time, so that the bytes are the same each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), stream.getvalue(),
                             zipfile.ZIP_DEFLATED, 9)  # fmt: skip


def main(path: Path, folder: Path) -> None:
    """Write chains.npz and new_chains.fasta."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{path} is not the file that this script was written for")
    segments, sequence, states, coordinates = read_database(path)
    chosen = choose(segments, coordinates)
    training = sorted(chosen[:TRAINING])
    rows = np.concatenate([np.arange(s.rows.start, s.rows.stop) for s in training])
    backbone = coordinates[rows] / 100
    ca = np.round(backbone[:, ATOMS.index("CA")] / UNIT)
    cb = np.round((beta_carbons(backbone) - backbone[:, ATOMS.index("CA")]) / UNIT)
    lengths = [s.rows.stop - s.rows.start for s in training]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    steps = np.diff(ca, axis=0, prepend=ca[:1])
    steps[offsets[:-1]] = 0  # each chain begins at the origin
    arrays = {
        "chain": np.array([f"{s.entry}_{s.chain}" for s in training]),
        "offsets": offsets.astype(np.int64),
        "sequence": sequence[rows],
        "states": states[rows],
        "ca_step": steps.astype(np.int8),
        "cb_from_ca": cb.astype(np.int8),
        "unit": np.array(UNIT),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(arrays, folder / "chains.npz")
    new = [(f"{s.entry}_{s.chain}", sequence[s.rows].tobytes().decode())
           for s in sorted(chosen[TRAINING:])]  # fmt: skip
    (folder / "new_chains.fasta").write_text("".join(f">{name}\n{text}\n" for name, text in new))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "protein_structure")
