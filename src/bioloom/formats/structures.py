"""Structure files, PDB or mmCIF, one or a folder of them: protein chains with their backbone.

Secondary structure is assigned by P-SEA (Labesse et al. 1997) from C-alphas: three states, close
to DSSP but not the same. Only the first model counts, and only residues with N, CA and C.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.chains import Chain
from bioloom.formats.text import open_text

MMCIF, PDB = (".cif", ".mmcif"), (".pdb", ".ent")
BACKBONE = ("N", "CA", "C")
STATES = {"a": "H", "b": "E"}


def read_structures(path: Path) -> list[Chain]:
    """The protein chains of a file or of all structure files of a folder, in order of their names.

    A chain's name is `<file>_<chain>`. DataError, with the file, for what cannot be read, a file
    without protein and a folder without structure files.
    """
    files = (
        sorted(p for p in path.iterdir() if _ending(p) in MMCIF + PDB) if path.is_dir() else [path]
    )
    if not files:
        raise DataError(f"No files ending in {', '.join(MMCIF + PDB)} here", file=path)
    chains = [chain for file in files for chain in _read_file(file)]
    names = [chain.name for chain in chains]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"Two files have a chain {repeated[0]}", file=path, hint="rename a file")
    return chains


def beta_carbons(n: np.ndarray, ca: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Ideal C-beta of each residue, glycine too, from its backbone (L, 3) (Yang et al. 2020)."""
    b, a = ca - n, c - ca
    return ca - 0.58273431 * np.cross(b, a) + 0.56802827 * b - 0.54067466 * a


def write_trace(trace: np.ndarray, sequence: str, b_factor: np.ndarray, stem: Path) -> None:
    """Write a C-alpha trace (L, 3) as `<stem>.cif` and `<stem>.pdb`, chain A."""
    import biotite.structure as struc
    from biotite.sequence import ProteinSequence
    from biotite.structure.io import pdb, pdbx

    atoms = struc.AtomArray(len(sequence))
    atoms.coord = trace.astype(np.float32)
    atoms.chain_id[:], atoms.atom_name[:], atoms.element[:] = "A", "CA", "C"
    atoms.res_id = np.arange(len(sequence)) + 1
    known = "ACDEFGHIKLMNPQRSTVWY"
    atoms.res_name = np.array(
        [ProteinSequence.convert_letter_1to3(r) if r in known else "UNK" for r in sequence]
    )
    atoms.set_annotation("b_factor", b_factor.astype(np.float32))
    cif, old = pdbx.CIFFile(), pdb.PDBFile()
    pdbx.set_structure(cif, atoms, data_block=stem.name)
    old.set_structure(atoms)
    cif.write(stem.with_name(f"{stem.name}.cif"))
    old.write(stem.with_name(f"{stem.name}.pdb"))


def file_name(sample_id: str) -> str:
    """A sample's id as the name of a file: letters, digits, dot, dash, underscore."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", sample_id).lstrip(".") or "chain"


def _ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _read_file(path: Path) -> list[Chain]:
    import biotite.structure as struc

    atoms = _read_atoms(path)
    atoms = atoms[struc.filter_amino_acids(atoms)]
    stem = path.name.removesuffix(".gz").removesuffix(Path(path.name.removesuffix(".gz")).suffix)
    chains = [
        _chain(f"{stem}_{name}", atoms[atoms.chain_id == name])
        for name in dict.fromkeys(atoms.chain_id.tolist())
    ]
    chains = [chain for chain in chains if chain.sequence]
    if not chains:
        raise DataError(
            "No protein chain with backbone atoms N, CA and C",
            file=path,
            hint="is it a nucleic acid, a ligand or an empty file?",
        )
    return chains


def _read_atoms(path: Path) -> Any:
    from biotite import InvalidFileError
    from biotite.file import DeserializationError
    from biotite.structure import BadStructureError
    from biotite.structure.io import pdb, pdbx

    with open_text(path) as stream:
        text = io.StringIO(stream.read())
    try:
        if _ending(path) in MMCIF:
            return pdbx.get_structure(pdbx.CIFFile.read(text), model=1)
        return pdb.PDBFile.read(text).get_structure(model=1)
    except (
        InvalidFileError,
        DeserializationError,
        BadStructureError,
        LookupError,
        ValueError,
    ) as e:
        raise DataError(
            f"Cannot read it as {'mmCIF' if _ending(path) in MMCIF else 'PDB'}: {e}",
            file=path,
            hint="is the file complete, and does its ending tell its format?",
        ) from None


def _chain(name: str, atoms: Any) -> Chain:
    import biotite.structure as struc

    residue = np.repeat(
        np.arange(struc.get_residue_count(atoms)),
        np.diff(struc.get_residue_starts(atoms, add_exclusive_stop=True)),
    )
    whole = np.bincount(residue[np.isin(atoms.atom_name, BACKBONE)]) == len(BACKBONE)
    atoms = atoms[np.isin(residue, np.flatnonzero(whole))]
    n, ca, c = (atoms.coord[atoms.atom_name == atom].astype(float) for atom in BACKBONE)
    alphas = atoms[atoms.atom_name == "CA"]
    sequence = "".join(struc.info.one_letter_code(name) or "X" for name in alphas.res_name)
    states = "".join(STATES.get(state, "C") for state in struc.annotate_sse(alphas))
    return Chain(name, sequence, states, ca, beta_carbons(n, ca, c))
