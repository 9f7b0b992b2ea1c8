"""False alarms of the gate: twenty tables as clinics keep them, of which no column identifies."""

from __future__ import annotations

from random import Random

import pytest

from bioloom.privacy.identifiers import find
from tests.test_privacy import Make, frame, one_of

ROWS = 60


def number(low: float, high: float, places: int = 1) -> Make:
    return lambda random, i: f"{random.uniform(low, high):.{places}f}"


def whole(low: int, high: int) -> Make:
    return lambda random, i: str(random.randint(low, high))


YES, BIT = one_of("yes", "no"), one_of("0", "1")
TABLES: dict[str, dict[str, Make]] = {
    "heart failure": {
        "age": whole(40, 88),
        "sex": one_of("F", "M"),
        "nyha": one_of("I", "II", "III", "IV"),
        "lvef_percent": whole(15, 65),
        "nt_probnp_pg_ml": whole(100, 35000),
        "sodium": whole(128, 146),
        "creatinine_umol_l": whole(50, 300),
        "qrs_ms": whole(80, 180),
        "beta_blocker": YES,
        "icd": BIT,
        "rehospitalised": BIT,
        "days_followed": whole(5, 900),
    },
    "breast cancer": {
        "age_at_diagnosis": whole(30, 80),
        "menopause": one_of("pre", "post"),
        "tumour_size_mm": whole(5, 90),
        "nodes": whole(0, 20),
        "grade": one_of("1", "2", "3"),
        "er_fmol": whole(0, 900),
        "pr_fmol": whole(0, 900),
        "her2": one_of("0", "1+", "2+", "3+"),
        "histology": one_of("Invasive Ductal Carcinoma", "Invasive Lobular Carcinoma"),
        "ki67_percent": whole(1, 90),
        "chemo": BIT,
        "rfs_days": whole(20, 4000),
    },
    "intensive care": {
        "apache_ii": whole(5, 40),
        "sofa": whole(0, 20),
        "gcs": whole(3, 15),
        "map_mmhg": whole(45, 110),
        "lactate": number(0.5, 12),
        "pao2_fio2": whole(60, 450),
        "ventilated": YES,
        "vasopressor_dose_ug_kg_min": number(0, 1, 2),
        "unit_type": one_of("MICU", "SICU", "CCU"),
        "admission_type": one_of("emergency", "elective"),
        "length_of_stay_days": number(0.5, 40),
        "died_in_hospital": BIT,
    },
    "diabetes": {
        "edad": whole(20, 85),
        "sexo": one_of("H", "M"),
        "hba1c": number(5, 12),
        "glucosa_ayunas": whole(70, 300),
        "imc": number(18, 45),
        "insulina": YES,
        "metformina_mg": one_of("500", "850", "1000"),
        "tfg": whole(15, 120),
        "retinopatia": YES,
        "duracion_anos": whole(0, 40),
    },
    "stroke": {
        "nihss": whole(0, 42),
        "mrs_90d": whole(0, 6),
        "onset_to_door_minutes": whole(20, 900),
        "door_to_needle_min": whole(15, 120),
        "aspects": whole(0, 10),
        "side": one_of("left", "right"),
        "territory": one_of("MCA", "ACA", "PCA"),
        "tpa": YES,
        "thrombectomy": YES,
        "systolic_bp": whole(100, 220),
        "glucose_mg_dl": whole(60, 400),
    },
    "transplant": {
        "donor_age": whole(10, 75),
        "donor_type": one_of("living", "deceased"),
        "hla_mismatch": whole(0, 6),
        "hla_a": one_of("A*02:01", "A*24:02", "A*03:01"),
        "cold_ischaemia_hours": number(2, 30),
        "pra_percent": whole(0, 100),
        "tacrolimus_ng_ml": number(2, 18),
        "cmv_status": one_of("D+/R-", "D+/R+", "D-/R-"),
        "rejection": BIT,
        "graft_days": whole(1, 3000),
    },
    "paediatrics": {
        "age_months": whole(0, 200),
        "weight_g": whole(2000, 60000),
        "height_cm": number(45, 180),
        "gestation_weeks": whole(24, 42),
        "apgar_5": whole(0, 10),
        "head_circumference_cm": number(30, 56),
        "vaccinated": YES,
        "feeding": one_of("breast", "formula", "mixed"),
        "zscore": number(-3, 3, 2),
    },
    "sepsis": {
        "organism": one_of("Escherichia coli", "Klebsiella pneumoniae", "Staphylococcus aureus"),
        "antibiotic": one_of("meropenem", "vancomycin", "ceftriaxone"),
        "mic": one_of("0.25", "0.5", "1", "2", "<=0.12"),
        "susceptible": one_of("S", "I", "R"),
        "crp": number(1, 400),
        "pct_ng_ml": number(0.01, 90, 2),
        "wbc": number(0.5, 40),
        "platelets_per_ul": whole(10000, 600000),
        "temp_c": number(34, 41),
        "culture_site": one_of("blood", "urine", "sputum"),
    },
    "oncogenomics": {
        "gene": one_of("MAX", "KIT", "JUN", "ROS1"),
        "hgvs_p": one_of("p.Val600Glu", "p.Gly12Asp"),
        "vaf": number(0, 1, 3),
        "depth": whole(50, 3000),
        "chrom": one_of("1", "7", "17", "X"),
        "pos": whole(10**5, 10**8),
        "ref": one_of(*"ACGT"),
        "alt": one_of(*"ACGT"),
        "tmb": number(0, 60),
        "msi": one_of("MSS", "MSI-H"),
        "rsid": lambda r, i: f"rs{r.randint(10**6, 10**9)}",
        "transcript": lambda r, i: f"NM_{r.randint(10**5, 10**6)}.{r.randint(1, 9)}",
    },
    "psychiatry": {
        "phq9": whole(0, 27),
        "gad7": whole(0, 21),
        "madrs": whole(0, 60),
        "episodes": whole(1, 9),
        "drug": one_of("sertraline", "lithium", "quetiapine"),
        "dose_mg": one_of("25", "50", "100"),
        "remission_week_8": BIT,
        "education_years": whole(6, 20),
        "marital_status": one_of("single", "married", "divorced"),
        "sleep_hours": number(3, 10),
    },
    "german clinic": {
        "alter": whole(20, 88),
        "geschlecht": one_of("m", "w"),
        "groesse_cm": whole(150, 200),
        "gewicht_kg": number(45, 130),
        "diagnose_icd": one_of("I50.1", "E11.9", "J44.1"),
        "raucher": one_of("ja", "nein"),
        "blutdruck_syst": whole(90, 200),
        "kreatinin": number(0.5, 4, 2),
        "verweildauer_tage": whole(1, 60),
        "entlassart": one_of("regulär", "verlegt"),
        "pflegegrad": whole(1, 5),
    },
    "french clinic": {
        "age": whole(20, 88),
        "sexe": one_of("F", "H"),
        "poids": number(40, 140),
        "taille": whole(145, 200),
        "tension": whole(90, 200),
        "tabac": one_of("oui", "non"),
        "creatinine": whole(40, 300),
        "stade": one_of("I", "II", "III"),
        "traitement": one_of("bras A", "bras B"),
        "survie_jours": whole(10, 2000),
    },
    "radiology": {
        "modality": one_of("CT", "MR", "CR"),
        "kvp": one_of("80", "100", "120"),
        "slice_mm": one_of("0.6", "1", "3"),
        "lesion_mm": number(2, 60),
        "suv_max": number(1, 25),
        "birads": one_of("2", "3", "4a", "4b", "5"),
        "density": one_of("a", "b", "c", "d"),
        "volume_ml": number(0.1, 300),
        "position": one_of("upper left", "lower right"),
        "window": whole(100, 2000),
    },
    "pharmacokinetics": {
        "time_h": number(0, 48, 2),
        "concentration_ng_ml": number(0, 900, 2),
        "dose_mg": one_of("10", "20", "40"),
        "weight": number(45, 110),
        "crcl_ml_min": whole(20, 140),
        "cyp2d6": one_of("*1/*1", "*1/*4", "*4/*4"),
        "period": one_of("1", "2"),
        "sequence": one_of("TR", "RT"),
        "formulation": one_of("tablet", "solution"),
    },
    "laboratory": {
        "loinc": one_of("718-7", "2345-7", "2160-0"),
        "value": number(1, 300, 2),
        "unit": one_of("g/dL", "mg/dL"),
        "flag": one_of("H", "L", "N"),
        "instrument": one_of("cobas 8000", "Architect"),
        "dilution": one_of("1:10", "1:100"),
        "lot": one_of("A12", "B07"),
        "haemolysis_index": whole(0, 300),
        "reference_low": number(1, 9),
        "fasting": YES,
    },
    "dementia": {
        "mmse": whole(0, 30),
        "cdr": one_of("0", "0.5", "1", "2"),
        "apoe": one_of("e3/e3", "e3/e4", "e2/e3"),
        "abeta42": whole(200, 1700),
        "ptau": number(8, 90),
        "hippocampus_mm3": whole(3000, 9000),
        "icv_mm3": whole(1100000, 1900000),
        "education": whole(6, 22),
        "diagnosis": one_of("CN", "MCI", "AD"),
    },
    "obstetrics": {
        "maternal_age": whole(18, 45),
        "parity": whole(0, 6),
        "gravida": whole(1, 8),
        "bmi": number(17, 45),
        "birth_weight_g": whole(1500, 4800),
        "mode_of_birth": one_of("vaginal", "caesarean"),
        "hb_g_l": whole(80, 150),
        "preeclampsia": BIT,
        "gestational_diabetes": BIT,
        "umbilical_ph": number(6.9, 7.4, 2),
    },
    "eye": {
        "va_logmar": number(-0.2, 1.5, 2),
        "iop_mmhg": whole(8, 40),
        "cct_um": whole(450, 650),
        "axial_length_mm": number(20, 30, 2),
        "eye": one_of("OD", "OS"),
        "lens": one_of("phakic", "pseudophakic"),
        "cup_disc": number(0.1, 0.95, 2),
        "anti_vegf": one_of("aflibercept", "ranibizumab"),
        "injections": whole(0, 24),
    },
    "registry": {
        "year_of_diagnosis": one_of("2012", "2015", "2018"),
        "region": one_of("North", "South", "East"),
        "stage": one_of("pT1N0", "pT3N1M0"),
        "vital_status": one_of("alive", "dead"),
        "cause": one_of("C34", "I21", "J18"),
        "months": number(0, 120),
        "surgery": YES,
        "deprivation_quintile": whole(1, 5),
        "urban": BIT,
        "morphology": one_of("8140/3", "8070/3"),
    },
    "single cell": {
        "n_counts": whole(500, 60000),
        "n_genes": whole(200, 8000),
        "percent_mt": number(0, 30),
        "cell_type": one_of("T cell", "B cell", "Monocyte"),
        "barcode": lambda r, i: "".join(r.choices("ACGT", k=16)) + "-1",
        "umap_1": number(-15, 15, 4),
        "umap_2": number(-15, 15, 4),
        "cluster": whole(0, 20),
        "donor_sex": one_of("F", "M"),
        "tissue": one_of("blood", "lung"),
    },
}


def made(name: str) -> dict[str, list[str]]:
    """The cells of a table."""
    random = Random(name)
    return {column: [make(random, i) for i in range(ROWS)] for column, make in TABLES[name].items()}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_clinic_raises_no_alarm(name):
    assert find(frame(made(name))) == []


@pytest.mark.slow
def test_there_are_twenty_tables_and_an_identifier_in_any_is_found():
    assert len(TABLES) == 20
    for name in TABLES:
        hidden = made(name) | {"x1": [f"test{i:04}@example.org" for i in range(ROWS)]}
        assert [one.column for one in find(frame(hidden))] == ["x1"]
