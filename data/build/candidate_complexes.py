"""Write data/candidate_complexes/: pairs of E. coli proteins that may be in one complex.

    python data/build/candidate_complexes.py coralme-1.2.4-py3-none-any.whl \
        pymodulon-0.2.1-py3-none-any.whl

Proteins of one operon of two to five genes, none of which is in a protein of the metabolic model
whose complexes the task learns from. The wheels are read as zips. The same file, byte for byte.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
import zipfile
from itertools import combinations
from pathlib import Path

SHA256 = {
    "coralme": "ca7fb283f4e88bef17a3de780e46b3c63bec7597efda5954f3c8b53307f781ed",
    "pymodulon": "24cf88b53e7dfe69c3bc1d4f3e28b2d30a0bf874eab1930d22208aff3ddd81b8",
}
BUILDING = "coralme/iJL1678b-ME/building_data"
PAIRS = 200


def read(wheel: Path, name: str, member: str) -> str:
    """A text member of a wheel whose checksum is the one this script was written for."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256[name]:
        sys.exit(f"{wheel} is not the file that this script was written for")
    with zipfile.ZipFile(wheel) as opened:
        return opened.read(member).decode()


def main(coralme: Path, pymodulon: Path, folder: Path) -> None:
    """Write the first pairs along the genome, and the licences of both packages."""
    modelled = set(
        re.findall(r"b\d{4}", read(coralme, "coralme", f"{BUILDING}/protein_complexes.txt"))
    )
    proteins = set(
        re.findall(r'/locus_tag="(b\d{4})"', read(coralme, "coralme", f"{BUILDING}/genome.gb"))
    )
    operons: dict[str, list[str]] = {}
    table = read(pymodulon, "pymodulon", "pymodulon/data/ecoli/gene_table.csv")
    for gene in csv.DictReader(io.StringIO(table)):
        if gene["operon"]:
            operons.setdefault(gene["operon"], []).append(gene[""])
    lines = ["source\ttarget\toperon"]
    for operon, genes in operons.items():
        new = 2 <= len(genes) <= 5 and not modelled & set(genes) and set(genes) <= proteins
        lines += [f"{a}\t{b}\t{operon}" for a, b in combinations(genes, 2) if new]
    licences = [
        read(coralme, "coralme", "coralme-1.2.4.dist-info/licenses/LICENSE"),
        read(pymodulon, "pymodulon", "pymodulon-0.2.1.dist-info/LICENSE"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "LICENSE").write_text("\n".join(licences))
    (folder / "pairs.tsv").write_text("\n".join(lines[: PAIRS + 1]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).parents[1] / "candidate_complexes")
