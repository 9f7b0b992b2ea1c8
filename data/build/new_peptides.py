"""Write data/new_peptides/: peptides that the antimicrobial training file does not have.

    python data/build/new_peptides.py modlamp-4.3.3-py3-none-any.whl

Anticancer peptides and transmembrane segments out of two other tables of modlAMP, without labels.
The wheel is read as a zip. The same file, byte for byte, each time.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

SHA256 = "6948bcbc4a9614d10b6b47a051d4576c42fe8e5487fbbeb3cfe0d8033eb27f91"
EACH = 100


def peptides(wheel: zipfile.ZipFile, name: str) -> list[tuple[str, str]]:
    """(sequence, class) of one of modlAMP's tables, whose first line is a summary."""
    lines = wheel.read(f"modlamp/data/{name}.csv").decode().splitlines()[1:]
    rows = [line.split(",") for line in lines if line.strip()]
    return [(sequence.strip(), label.strip()) for sequence, label in rows]


def main(path: Path, folder: Path) -> None:
    """Write the first hundred peptides of each kind that training has not, and their licence."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{path} is not the file that this script was written for")
    with zipfile.ZipFile(path) as wheel:
        training = {sequence for sequence, _ in peptides(wheel, "AMPvsUniProt")}
        anticancer = [s for s, label in peptides(wheel, "ACP_CancPPD_vs_TM") if label == "1"]
        licence = wheel.read("modlamp-4.3.3.dist-info/licenses/LICENSE")
        transmembrane = [s for s, label in peptides(wheel, "AMPvsTMset") if label == "0"]
    records = []
    for prefix, sequences in (("CancerPPD", anticancer), ("PDBTM", transmembrane)):
        new = [s for s in dict.fromkeys(sequences) if s not in training][:EACH]
        records += [f">{prefix}_{number:03d}\n{s}\n" for number, s in enumerate(new, start=1)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peptides.fasta").write_text("".join(records))
    (folder / "LICENSE").write_bytes(licence)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "new_peptides")
