"""Write data/designed_dna/: DNA to predict expression and splicing of, that nobody measured there.

    python data/build/designed_dna.py mavenn-1.1.4-py3-none-any.whl

Variants of the lac promoter with sites repaired, broken or scrambled, and all 5' splice sites of
the library NNN/GYNNNN that its table lacks. The wheel is read as a zip. The same files, byte for
byte, each time.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
import zipfile
from itertools import product
from pathlib import Path

SHA256 = "b54077ee40a94892ace26b609b1b6778bc906e14483d7e74f8258c9731871e57"
# E. coli K-12 lacZ promoter, -75 to -1 of its transcription start: the wild type of the library.
LAC = "AATTAATGTGAGTTAGCTCACTCATTAGGCACCCCAGGCTTTACACTTTATGCTTCCGGCTCGTATGTTGTGTGG"
MINUS_35, MINUS_10, CRP = "TTTACA", "TATGTT", "TGTGAGTTAGCTCACT"
CONSENSUS_35, CONSENSUS_10 = "TTGACA", "TATAAT"
CONSENSUS_CRP = "TGTGATCTAGATCACA"
SCRAMBLED_CRP = "GTCATGTACTGTGCAT"  # the letters of CRP in another order
BROKEN_35, BROKEN_10 = "GCGCGC", "GCGCGC"
PROMOTERS = {
    "lac_wild_type": {},
    "consensus_minus_10": {MINUS_10: CONSENSUS_10},  # as in lacUV5
    "consensus_minus_35": {MINUS_35: CONSENSUS_35},
    "consensus_minus_35_and_10": {MINUS_35: CONSENSUS_35, MINUS_10: CONSENSUS_10},
    "consensus_crp": {CRP: CONSENSUS_CRP},
    "crp_scrambled": {CRP: SCRAMBLED_CRP},
    "crp_scrambled_consensus_minus_10": {CRP: SCRAMBLED_CRP, MINUS_10: CONSENSUS_10},
    "broken_minus_10": {MINUS_10: BROKEN_10},
    "broken_minus_35": {MINUS_35: BROKEN_35},
    "all_consensus": {CRP: CONSENSUS_CRP, MINUS_35: CONSENSUS_35, MINUS_10: CONSENSUS_10},
}


def variant(changes: dict[str, str]) -> str:
    """The lac promoter with some of its sites replaced, each in its place."""
    sequence = LAC
    for site, other in changes.items():
        if sequence.count(site) != 1 or len(site) != len(other):
            sys.exit(f"{site} is not once in the promoter, or {other} does not fit in its place")
        sequence = sequence.replace(site, other)
    return sequence


def column_x(wheel: zipfile.ZipFile, name: str) -> set[str]:
    """The sequences of one of MAVE-NN's tables."""
    table = gzip.decompress(wheel.read(f"mavenn/examples/datasets/{name}.csv.gz")).decode()
    return {row["x"] for row in csv.DictReader(table.splitlines())}


def main(path: Path, folder: Path) -> None:
    """Write the promoters that were not measured, the splice sites that were not, the licence."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{path} is not the file that this script was written for")
    with zipfile.ZipFile(path) as wheel:
        promoters = column_x(wheel, "sortseq_data")
        spliced = column_x(wheel, "mpsa_data")
        licence = wheel.read("mavenn-1.1.4.dist-info/licenses/LICENSE")
    designed = {name: variant(changes) for name, changes in PROMOTERS.items()}
    measured = [name for name, sequence in designed.items() if sequence in promoters]
    print(f"measured as well: {', '.join(measured) or 'none'}")
    places = ["ACGU"] * 3 + ["G", "CU"] + ["ACGU"] * 4
    sites = ["".join(letters) for letters in product(*places)]
    missing = [site for site in sites if site not in spliced]
    folder.mkdir(parents=True, exist_ok=True)
    records = [f">{name}\n{sequence}\n" for name, sequence in designed.items()]
    (folder / "promoters.fasta").write_text("".join(records))
    (folder / "splice_sites.csv").write_text(
        "\n".join(["id,site", *(f"{s},{s}" for s in missing), ""])
    )
    (folder / "LICENSE").write_bytes(licence)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "designed_dna")
