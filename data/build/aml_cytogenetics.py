"""Write data/aml_cytogenetics/: leukaemia patients, clinical columns and gene expression.

    pip install rdata
    python data/build/aml_cytogenetics.py AML_Bullinger.rda

The .rda is part of the R package TH.data: in Debian's r-cran-th.data 1.1-1 it is
usr/lib/R/site-library/TH.data/rda/AML_Bullinger.rda (dpkg-deb -x unpacks the package).
The same content each time.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdata

SHA256 = "f78cc809814604170bfdd2a1c1f1f57790078a65ef4429afc1cb78c1402ca49c"
FAVOURABLE = ["t(15;17)", "t(8;21)", "inv(16)"]
CLINICAL = {
    "Age": "age",
    "Sex": "sex",
    "WBC": "wbc",
    "PB.Blasts": "pb_blasts",
    "BM.Blasts": "bm_blasts",
    "LDH": "ldh",
    "Preceding.Malignancy.": "preceding_malignancy",
}
NEW_PATIENTS = 12
NEW_WITHOUT_EXPRESSION = 2
SEED = 1


def clinical_table(source: pd.DataFrame) -> pd.DataFrame:
    """The columns known at diagnosis without any genetic test, and the label."""
    table = source[list(CLINICAL)].rename(columns=CLINICAL)
    # "BM (PB = AML 3)": a marrow sample; the blood sample of this patient is not in the table.
    table["specimen"] = source["Sample.source."].astype(str).str[:2]
    favourable = source["Cytogenetic.group"].isin(FAVOURABLE)
    table["favourable_cytogenetics"] = np.where(favourable, "yes", "no")
    return table.rename_axis("patient_id")


def expression_table(content: dict) -> pd.DataFrame:
    """Clones x patients, log2 ratios as published (not imputed), symbols where they are known."""
    values = content["expressions"]
    # R's NA is a signalling NaN; make it a plain one.
    ratios = np.where(np.isnan(values.values), np.nan, values.values)
    known = content["selgenes"].dropna()
    symbols = dict(zip(known["Clone.ID"], known["Gene.Symbol"], strict=True))
    clones = [str(clone) for clone in values.dim_1.values]
    names = [f"{symbols[clone]}_{clone}" if clone in symbols else clone for clone in clones]
    return pd.DataFrame(ratios.T, index=pd.Index(names, name="clone"), columns=values.dim_0.values)


def write_gzip(table: pd.DataFrame, path: Path) -> None:
    """Write a tab-separated table; without a time stamp the bytes are the same each time."""
    text = table.to_csv(sep="\t", float_format="%.4g")
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main(rda: Path, folder: Path) -> None:
    """Write clinical.csv, expression.tsv.gz and the same two of the new patients."""
    if hashlib.sha256(rda.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{rda} is not the file that this script was written for")
    content = rdata.read_rda(rda)
    clinical = clinical_table(content["clinical"])
    expression = expression_table(content)

    patients = clinical.index.to_numpy()
    chosen = np.random.default_rng(SEED).permutation(len(patients))[:NEW_PATIENTS]
    is_new = np.isin(np.arange(len(patients)), chosen)
    without = patients[chosen[:NEW_WITHOUT_EXPRESSION]]

    folder.mkdir(parents=True, exist_ok=True)
    clinical[~is_new].to_csv(folder / "clinical.csv")
    clinical[is_new].drop(columns="favourable_cytogenetics").to_csv(folder / "new_clinical.csv")
    write_gzip(expression[patients[~is_new]], folder / "expression.tsv.gz")
    new_expression = expression[patients[is_new]].drop(columns=without)
    write_gzip(new_expression, folder / "new_expression.tsv.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "aml_cytogenetics")
