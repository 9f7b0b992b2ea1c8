"""Structure files, PDB or mmCIF, one or a folder of them: protein chains with their backbone.

Secondary structure is assigned by P-SEA (Labesse et al. 1997) from C-alphas: three states, close
to DSSP but not the same. Only the first model counts, and of a chain its polymer: no ligands, which
share its letter, and no residue without one N, CA and C each.
"""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.chains import Chain
from bioloom.formats.text import open_text
from bioloom.limits import COORDINATE

MMCIF, PDB = (".cif", ".mmcif"), (".pdb", ".ent")
BACKBONE = ("N", "CA", "C")
STATES = {"a": "H", "b": "E"}
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
LARGEST_BOX = 1e9  # cubic Angstrom around a chain: 1,000 on each side
LIGANDS = "amino acids that are ligands, and no part of their chain, are left out"
NO_BACKBONE = "residues without one N, CA and C each are left out"
GAPS = "chains have residues that were not seen: the ends of a gap are neighbours"


def read_structures(path: Path) -> tuple[list[Chain], list[str]]:
    """The protein chains of a file or of all structure files of a folder, in order of their names.

    A chain's name is `<file>_<chain>`. The notes count what is left out, and gaps. DataError, with
    the file, for what cannot be read, a coordinate that is none, an atom far from its chain, a file
    without protein and a folder without structure files.
    """
    files = (
        sorted(p for p in path.iterdir() if _ending(p) in MMCIF + PDB) if path.is_dir() else [path]
    )
    if not files:
        raise DataError(f"No files ending in {', '.join(MMCIF + PDB)} here", file=path)
    counts = Counter[str]()
    chains = [chain for file in files for chain in _read_file(file, counts)]
    names = Counter(chain.name for chain in chains)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise DataError(f"Two files have a chain {repeated[0]}", file=path, hint="rename a file")
    return chains, [f"{count} {what}" for what, count in counts.items() if count]


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
    atoms.res_name = np.array(
        [ProteinSequence.convert_letter_1to3(r) if r in AMINO_ACIDS else "UNK" for r in sequence]
    )
    atoms.set_annotation("b_factor", b_factor.astype(np.float32))
    cif, old = pdbx.CIFFile(), pdb.PDBFile()
    pdbx.set_structure(cif, atoms, data_block=stem.name)
    old.set_structure(atoms)
    cif.write(stem.with_name(f"{stem.name}.cif"))
    old.write(stem.with_name(f"{stem.name}.pdb"))


def _ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _read_file(path: Path, counts: Counter[str]) -> list[Chain]:
    import biotite.structure as struc

    atoms, in_polymer = _read_atoms(path)
    chosen = struc.filter_amino_acids(atoms)
    atoms, in_polymer = atoms[chosen], in_polymer[chosen]
    counts[LIGANDS] += struc.get_residue_count(atoms[~in_polymer])
    atoms = atoms[in_polymer]
    stem = path.name.removesuffix(".gz").removesuffix(Path(path.name.removesuffix(".gz")).suffix)
    chains = [
        _chain(f"{stem}_{name}", atoms[atoms.chain_id == name], counts, path)
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


def _read_atoms(path: Path) -> tuple[Any, np.ndarray]:
    """The atoms of the first model, and which of them may be of a polymer."""
    from biotite import InvalidFileError
    from biotite.file import DeserializationError
    from biotite.structure import BadStructureError

    with open_text(path) as stream:
        text = stream.read()
    is_mmcif = _ending(path) in MMCIF
    try:
        return _mmcif(text) if is_mmcif else _pdb(text)
    except (
        InvalidFileError,
        DeserializationError,
        BadStructureError,
        LookupError,
        ValueError,
        OverflowError,
    ) as e:
        raise DataError(
            f"Cannot read it as {'mmCIF' if is_mmcif else 'PDB'}: {e}",
            file=path,
            hint="is the file complete, and does its ending tell its format?",
        ) from None


def _mmcif(text: str) -> tuple[Any, np.ndarray]:
    """A polymer's residues have a place in its sequence, `label_seq_id`."""
    from biotite.structure.io import pdbx

    file = pdbx.CIFFile.read(io.StringIO(text))
    if "label_seq_id" not in file.block["atom_site"]:
        atoms = pdbx.get_structure(file, model=1)
        return atoms, ~_free(atoms)
    atoms = pdbx.get_structure(file, model=1, extra_fields=["label_seq_id"])
    return atoms, np.char.isdecimal(atoms.label_seq_id.astype(str)) & ~_free(atoms)


def _pdb(text: str) -> tuple[Any, np.ndarray]:
    """TER ends a polymer: what follows in its chain as HETATM is a ligand."""
    from biotite.structure.io import pdb

    atoms = pdb.PDBFile.read(io.StringIO(text)).get_structure(model=1)
    ended, ligands, chain = set[str](), set[tuple[str, str]](), ""
    for line in text.splitlines():
        if line.startswith("ENDMDL"):
            break
        if line.startswith("TER"):
            ended.add(chain)
        elif line.startswith(("ATOM", "HETATM")):
            chain = line[21:22].strip()
            if line.startswith("HETATM") and chain in ended:
                ligands.add((chain, line[22:27].strip()))
    numbers = np.char.add(atoms.res_id.astype(str), atoms.ins_code)
    keys = zip(atoms.chain_id.tolist(), numbers.tolist(), strict=True)
    return atoms, ~_free(atoms) & np.array([key not in ligands for key in keys], dtype=bool)


def _free(atoms: Any) -> np.ndarray:
    """Which atoms are of a free amino acid: in a polymer the usual ones are no HETATM."""
    from biotite.sequence import ProteinSequence

    usual = [ProteinSequence.convert_letter_1to3(letter) for letter in AMINO_ACIDS]
    return atoms.hetero & np.isin(atoms.res_name, usual)


def _chain(name: str, atoms: Any, counts: Counter[str], path: Path) -> Chain:
    import biotite.structure as struc

    starts = struc.get_residue_starts(atoms, add_exclusive_stop=True)
    residue = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    whole = np.ones(len(starts) - 1, dtype=bool)
    for atom in BACKBONE:
        whole &= np.bincount(residue[atoms.atom_name == atom], minlength=len(whole)) == 1
    counts[NO_BACKBONE] += int((~whole).sum())
    atoms = atoms[np.isin(residue, np.flatnonzero(whole))]
    n, ca, c = (atoms.coord[atoms.atom_name == atom].astype(float) for atom in BACKBONE)
    alphas = atoms[atoms.atom_name == "CA"]
    _check_places(name, np.hstack([n, ca, c]), alphas.res_id, path)
    counts[GAPS] += bool((np.diff(alphas.res_id) > 1).any())
    sequence = "".join(_letter(name) for name in alphas.res_name)
    states = "".join(STATES.get(state, "C") for state in struc.annotate_sse(alphas))
    return Chain(name, sequence, states, ca, beta_carbons(n, ca, c))


def _letter(residue: str) -> str:
    """One letter for one residue; some chromophores stand for several."""
    import biotite.structure as struc

    letter = struc.info.one_letter_code(residue) or "X"
    return letter if len(letter) == 1 else "X"


def _check_places(name: str, places: np.ndarray, numbers: np.ndarray, path: Path) -> None:
    """DataError for coordinates (L, 9) that are none, or that blow up the box of the chain.

    P-SEA looks for neighbours in a grid over that box.
    """
    wrong = ~(np.abs(places) <= COORDINATE).all(axis=1)
    extent = np.ptp(places[:, 3:6], axis=0) if len(places) and not wrong.any() else np.zeros(3)
    if np.prod(np.maximum(extent, 1.0)) > LARGEST_BOX:
        wrong = np.abs(places - np.median(places, axis=0)).max(axis=1)
        wrong = wrong == wrong.max()
    if wrong.any():
        raise DataError(
            f"Residue {numbers[np.argmax(wrong)]} of {name} is not where a chain can be",
            file=path,
            hint=f"coordinates are Angstrom, up to {COORDINATE:,} from the origin, and residues of "
            "a chain lie together",
        )
