"""Protein structure: readers of chains and structure files, labels, and what they refuse."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.applications.protein_structure import application
from bioloom.formats.chains import read_chains
from bioloom.formats.structures import beta_carbons, read_structures
from bioloom.samples import check_samples, write_samples
from tests.toys import refused, write

DATA = Path(__file__).parents[1] / "data/protein_structure"
FASTA = ">a one\nmkvla\n>b\nGGSAW\n"


def helix(length: int, chain: str = "A") -> list[str]:
    """PDB lines of an ideal right-handed alpha helix of alanines: N, CA, C, O in cylinders."""
    cylinder = {"N": (1.55, -0.9, -27.7), "CA": (2.28, 0, 0), "C": (1.66, 1.1, 26.2)}
    cylinder["O"] = (2.0, 2.3, 28.0)
    lines = []
    for i in range(length):
        for atom, (radius, rise, turn) in cylinder.items():
            angle = np.radians(100 * i + turn)
            x, y, z = radius * np.cos(angle), radius * np.sin(angle), 1.5 * i + rise
            lines.append(
                f"ATOM  {len(lines) + 1:5d}  {atom:<3s} ALA {chain}{i + 1:4d}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           {atom[0]}"
            )
    return lines


def test_shipped_chains_are_whole():
    chains = read_chains(DATA / "chains.npz")
    assert len(chains) == len({chain.name for chain in chains}) == 3000
    lengths = {len(chain.sequence) for chain in chains}
    assert min(lengths) >= 40
    assert max(lengths) <= 300
    steps = np.concatenate([np.linalg.norm(np.diff(c.ca, axis=0), axis=1) for c in chains])
    assert np.quantile(steps, [0.01, 0.99]) == pytest.approx([3.8, 3.8], abs=0.1)
    assert (steps < 4.3).all()
    beta = np.concatenate([np.linalg.norm(c.cb - c.ca, axis=1) for c in chains])
    assert np.median(beta) == pytest.approx(1.53, abs=0.02)


def test_shipped_helices_are_right_handed():
    turns = []
    for chain in read_chains(DATA / "chains.npz")[:200]:
        steps = np.diff(chain.ca, axis=0)
        volume = np.einsum("ij,ij->i", np.cross(steps[:-2], steps[1:-1]), steps[2:])
        inside = [chain.states[i : i + 4] == "HHHH" for i in range(len(volume))]
        turns.append(volume[inside])
    assert (np.concatenate(turns) > 0).mean() > 0.99


def test_new_chains_are_not_in_training():
    trained = {chain.sequence for chain in read_chains(DATA / "chains.npz")}
    raw = application.ingest({"sequences": DATA / "new_chains.fasta"}, {}).samples
    assert len(raw) == 30
    assert not trained & set(raw["sequence"])


@pytest.mark.parametrize(("target", "states"), [("three_states", 3), ("eight_states", 8)])
def test_cleaning_chooses_the_label(target, states, tmp_path):
    raw = application.ingest({"chains": DATA / "chains.npz"}, {}).samples
    cleaned = application.clean(raw, {"target": target, "max_samples": 200, "max_length": 150})
    samples = check_samples(cleaned.samples, "samples")
    write_samples(samples, tmp_path / "samples.parquet")
    assert len(samples) == 200
    assert len(raw) == len(samples) + len(cleaned.dropped)
    assert len(set("".join(samples["label.residues"]))) == states
    assert (samples["label.residues"].str.len() == samples["sequence"].str.len()).all()
    assert application.inputs(samples) == samples["sequence"].tolist()
    again = application.clean(raw, {"target": target, "max_samples": 200, "max_length": 150})
    pd.testing.assert_frame_equal(samples, again.samples)


def test_sequences_without_states_are_left_out(tmp_path):
    sequences = write(tmp_path / "s.fasta", FASTA + ">c\nAAA\n")
    states = write(tmp_path / "t.fasta", ">b\nhh-EG\n>a\nCCEEB\n>z\nH\n")
    read = application.ingest({"sequences": sequences, "states": states}, {})
    raw = read.samples
    assert raw["sample_id"].tolist() == ["a", "b"]
    assert read.notes == ["1 sequences without states are left out"]


@pytest.mark.parametrize(
    ("states", "pattern"),
    [
        (">a\nCCEE\n", "a has 4 states for 5 residues.*t.fasta, row 1"),
        (">b\nCCCCC\n>a\nCCQCC\n", "'Q' at position 3 of a is no state.*row 3.*H, G, I"),
        (">x\nC\n", "none of the sequences' ids.*one has a, this one x"),
        (">a\n", "a has no sequence"),
    ],
)
def test_states_that_do_not_fit_are_refused(states, pattern, tmp_path):
    files = {
        "sequences": write(tmp_path / "s.fasta", FASTA),
        "states": write(tmp_path / "t.fasta", states),
    }
    refused(lambda: application.ingest(files, {}), pattern)


def test_bad_options_and_sources_are_refused(tmp_path):
    fasta = write(tmp_path / "s.fasta", FASTA)
    refused(lambda: application.ingest({}, {}), "one of the sources sequences, structures, chains")
    refused(lambda: application.ingest({"sequences": fasta, "chains": fasta}, {}), "got sequences,")
    refused(lambda: application.ingest({"sequences": fasta}, {"stats": 1}), "'stats'")
    raw = application.ingest({"sequences": fasta}, {}).samples
    refused(lambda: application.clean(raw, {"target": "helix"}), "three_states, eight_states")
    bad = write(tmp_path / "b.fasta", ">a\nMK1\n")
    refused(lambda: application.ingest({"sequences": bad}, {}), "'1' at position 3")


@pytest.mark.parametrize("content", ["text", "", None])
def test_what_is_no_chain_file_is_refused(content, tmp_path):
    path = tmp_path / "chains.npz"
    if content is None:
        np.savez(path, chain=np.array(["a"]), offsets=np.array([0, 2]))
    else:
        path.write_text(content)
    refused(lambda: read_chains(path), "Expected an npz file of arrays")


@pytest.mark.parametrize(
    ("changed", "pattern"),
    [
        ({"offsets": np.array([0, 1, 1])}, "do not follow one another"),
        ({"offsets": np.array([-3, 1, 3])}, "do not follow one another"),
        ({"ca_step": np.zeros((3, 2), np.int8)}, "differ in length"),
        ({"sequence": np.full(3, 200, np.uint8)}, "sequence has what is no letter"),
        ({"sequence": np.array(list("AAA"))}, "sequence is of another type"),
        ({"unit": np.array([0.1])}, "differ in length"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changed, pattern, tmp_path):
    letters = {name: np.full(3, 65, np.uint8) for name in ("sequence", "states")}
    steps = {name: np.zeros((3, 3), np.int8) for name in ("ca_step", "cb_from_ca")}
    arrays = {"chain": np.array(["a", "b"]), "offsets": np.array([0, 1, 3]), "unit": np.array(0.1)}
    path = tmp_path / "chains.npz"
    np.savez(path, **arrays | letters | steps)
    assert [chain.sequence for chain in read_chains(path)] == ["A", "AA"]
    np.savez(path, **arrays | letters | steps | changed)
    refused(lambda: read_chains(path), pattern)


@pytest.mark.slow
def test_structure_files_become_labelled_samples(tmp_path):
    lines = helix(20) + helix(20, "B")
    write(tmp_path / "one.pdb", "\n".join([*lines, "END"]) + "\n")
    (tmp_path / "two.pdb.gz").write_bytes(gzip.compress("\n".join(helix(8)).encode()))
    write(tmp_path / "readme.md", "no structure")
    read = application.ingest({"structures": tmp_path}, {})
    raw = read.samples
    assert raw["sample_id"].tolist() == ["one_A", "one_B", "two_A"]
    assert raw["sequence"].tolist() == ["A" * 20, "A" * 20, "A" * 8]
    assert set(raw["label.residues"][0][2:-2]) == {"H"}
    assert "P-SEA" in read.notes[0]


def test_mmcif_and_pdb_say_the_same(tmp_path):
    from biotite.structure.io import pdb, pdbx

    write(tmp_path / "h.pdb", "\n".join(helix(12)) + "\n")
    atoms = pdb.PDBFile.read(tmp_path / "h.pdb").get_structure(model=1)
    file = pdbx.CIFFile()
    pdbx.set_structure(file, atoms, data_block="h")
    file.write(tmp_path / "h.cif")
    (first, _), (second, _) = (read_structures(tmp_path / f"h.{end}") for end in ("pdb", "cif"))
    assert [c.sequence for c in first] == [c.sequence for c in second] == ["A" * 12]
    np.testing.assert_allclose(first[0].ca, second[0].ca, atol=1e-3)
    assert np.linalg.norm(first[0].cb - first[0].ca, axis=1) == pytest.approx(1.53, abs=0.1)
    whole = (tmp_path / "h.cif").read_text()
    cut = write(tmp_path / "cut.cif", whole[: len(whole) * 2 // 3].rsplit(" ", 3)[0])
    refused(lambda: read_structures(cut), "Cannot read it as mmCIF.*cut.cif.*complete")


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("a.pdb", "", "The file is empty"),
        ("a.pdb", "HEADER    NOTHING\nEND\n", "a.pdb"),
        ("a.cif", "no cif at all\n", "Cannot read it as mmCIF"),
        ("a.pdb", helix(1)[0].replace("ALA", "HOH") + "\n", "No protein chain"),
    ],
)
def test_structures_without_protein_are_refused(name, content, pattern, tmp_path):
    path = write(tmp_path / name, content)
    refused(lambda: read_structures(path), pattern)


def test_an_empty_folder_is_refused(tmp_path):
    refused(lambda: read_structures(tmp_path), "No files ending in .cif")


def test_residues_without_backbone_are_left_out(tmp_path):
    lines = [line for line in helix(10) if line[22:26].strip() != "4" or " CA " not in line]
    path = write(tmp_path / "a.pdb", "\n".join(lines) + "\n")
    (chain,), notes = read_structures(path)
    assert chain.sequence == "A" * 9
    assert [note.split(" ", 1)[0] for note in notes] == ["1", "1"]
    assert "without one N, CA and C" in notes[0]
    assert "the ends of a gap are neighbours" in notes[1]
    # Three atoms of the backbone, but no C.
    write(path, "\n".join(helix(10)).replace("  C   ALA A   4", "  CA  ALA A   4"))
    assert read_structures(path)[0][0].sequence == "A" * 9


def test_a_free_amino_acid_in_a_chain_is_a_ligand(tmp_path):
    from biotite.structure.io import pdb, pdbx

    def moved(line: str, residue: str, number: int, record: str = "HETATM") -> str:
        return f"{record:6s}{line[6:17]}{residue}{line[20:22]}{number:4d}{line[26:]}"

    chain, (*glu,) = helix(9), helix(1)
    ligand = [moved(line, "GLU", 201) for line in glu]
    changed = [moved(line, "MSE", 5) if line[22:26] == "   5" else line for line in chain]
    odd = [moved(line, "MSE", 202) for line in glu]  # an amino acid that is not one of the twenty
    path = tmp_path / "a.pdb"
    for lines in ([*changed, "TER", *ligand, *odd], [*changed, *ligand]):
        write(path, "\n".join(lines) + "\n")
        (found,), notes = read_structures(path)
        assert found.sequence == "AAAAMAAAA"
        assert len(found.ca) == len(found.states) == 9
        assert "amino acids that are ligands" in notes[0]
    atoms = pdb.PDBFile.read(path).get_structure(model=1)
    file = pdbx.CIFFile()
    pdbx.set_structure(file, atoms, data_block="a")
    places = atoms.res_id.astype("U4")
    places[atoms.res_id > 200] = "."
    file.block["atom_site"]["label_seq_id"] = pdbx.CIFColumn(places)
    file.write(tmp_path / "a.cif")
    assert read_structures(tmp_path / "a.cif")[0][0].sequence == "AAAAMAAAA"


@pytest.mark.parametrize("residue", ["SIC", "HHK", "SUI", "175"])  # SIC is Asp and Cys
def test_a_residue_of_several_letters_is_one_unknown_residue(tmp_path, residue):
    lines = [line.replace("ALA A   4", f"{residue} A   4") for line in helix(8)]
    chain = read_structures(write(tmp_path / "a.pdb", "\n".join(lines) + "\n"))[0][0]
    assert chain.sequence == "AAAXAAAA"
    assert len(chain.states) == len(chain.ca) == 8


@pytest.mark.parametrize(
    ("name", "place"),
    [("a.cif", "1e8"), ("a.cif", "nan"), ("a.cif", "9999"), ("a.pdb", "9999.00"), ("a.pdb", "nan")],
)
def test_an_atom_that_is_nowhere_near_its_chain_is_refused(tmp_path, name, place):
    """P-SEA asked for terabytes."""
    from biotite.structure.io import pdb, pdbx

    lines = helix(9)
    far = [place.rjust(8) * 3 if " CA  ALA A   7" in line else line[30:54] for line in lines]
    if name == "a.pdb":
        lines = [line[:30] + places + line[54:] for line, places in zip(lines, far, strict=True)]
        write(tmp_path / name, "\n".join(lines) + "\n")
    else:
        write(tmp_path / "whole.pdb", "\n".join(lines) + "\n")
        file = pdbx.CIFFile()
        atoms = pdb.PDBFile.read(tmp_path / "whole.pdb").get_structure(model=1)
        pdbx.set_structure(file, atoms, data_block="a")
        for axis, part in zip("xyz", np.transpose([f.split() for f in far]), strict=True):
            file.block["atom_site"][f"Cartn_{axis}"] = pdbx.CIFColumn(part)
        file.write(tmp_path / name)
    refused(lambda: read_structures(tmp_path / name), "Residue 7 of a_A", "9,999.999")


def test_ideal_beta_carbons_are_tetrahedral():
    n, ca, c = np.array([[[1.46, 0, 0]], [[0, 0, 0]], [[-0.53, 1.43, 0]]])
    beta = beta_carbons(n, ca, c)
    angles = [np.degrees(np.arccos(beta[0] @ p[0] / 1.53 / np.linalg.norm(p))) for p in (n, c)]
    assert angles == pytest.approx([110, 110], abs=2)
