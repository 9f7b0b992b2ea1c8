"""Units: UCUM by its grammar, hospital spellings by a list, and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.formats.omop import _units
from bioloom.formats.ucum import METRIC, PREFIXES, canonical, conversion, differ, parse, spellings

GLUCOSE, CREATININE = 180.156, 113.12


def converted(value: float, written: str, wanted: str, molar_mass: float | None = None):
    code = canonical(written)
    terms = conversion(code, wanted, molar_mass) if code else None
    return None if terms is None else value * terms[0] + terms[1]


@pytest.mark.parametrize(
    "code",
    ["kg9999", "mg9999", "g/(mg9999)", "10*400", "10*-400", "9" * 400, "0", "(" * 5000, "g" * 9999],
)
def test_a_unit_beyond_all_numbers_is_none(code):
    assert parse(code) is None
    assert canonical(code) is None
    assert conversion(code, "g") is None


@pytest.mark.parametrize(
    ("value", "written", "wanted", "molar_mass", "expected"),
    [
        (5.5, "mmol/L", "mg/dL", GLUCOSE, 99.0858),
        (1.02, "g/L", "mg/dL", None, 102),
        (99, "mg/dl", "mg/dL", None, 99),
        (97, "\u00b5mol/L", "mg/dL", CREATININE, 1.0973),
        (88, "\u03bcmol/L", "mg/dL", CREATININE, 0.9955),
        (92, "umol/l", "mg/dL", CREATININE, 1.0407),
        (0.09, "mmol/L", "mg/dL", CREATININE, 1.0181),
        (100, "mg/dL", "mmol/L", GLUCOSE, 5.5507),
        (98.6, "[degF]", "Cel", None, 37.0),
        (310.5, "K", "Cel", None, 37.35),
        (37.0, "Cel", "[degF]", None, 98.6),
        (198, "10*3/uL", "10*9/L", None, 198),
        (205, "K/uL", "10*9/L", None, 205),
        (201_000, "/uL", "10*9/L", None, 201),
        (201_000, "{cells}/uL", "10*9/L", None, 201),
        (190, "G/L", "10*9/L", None, 190),
        (13.1, "gm/dL", "g/dL", None, 13.1),
        (2.4, "u[IU]/mL", "m[IU]/L", None, 2.4),
        (2.4, "mIU/ml", "[IU]/L", None, 2.4),
        (5, "mcg", "ug", None, 5),
        (5, "gm", "g", None, 5),
        (205, "K/mcL", "10*9/L", None, 205),
        (190, "10\u2079/L", "10*9/L", None, 190),
        (4.5, "\u00d710\u00b9\u00b2/L", "10*12/L", None, 4.5),
        (25, "kg/m\u00b2", "kg/m2", None, 25),
        (90, "ml/min/1.73m\u00b2", "mL/min/{1.73_m2}", None, 90),
        (20, "mm/hr", "mm/h", None, 20),
        (15, "{score}", "1", None, 15),
        (400, "ng/mL{FEU}", "ug/L{FEU}", None, 400),
        (154.3, "[lb_av]", "kg", None, 69.9893),
        (11, "[stone_av]", "kg", None, 69.8532),
        (75, "mm[Hg]", "kPa", None, 9.9992),
        (1, "ukat/L", "U/L", None, 60),
        (90, "min", "h", None, 1.5),
        (25, "kg/m2", "g/(cm.cm)", None, 2.5),
    ],
)
def test_laboratory_units_are_converted(value, written, wanted, molar_mass, expected):
    assert converted(value, written, wanted, molar_mass) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("written", "wanted", "molar_mass"),
    [
        ("mmol/L", "g/dL", None),  # no molar mass is said
        ("umol", "mg/dL", CREATININE),  # no volume
        ("cm", "kg", None),
        ("mg%", "mg/dL", None),
        ("mmol/mol", "%", None),  # a ratio of amounts is none of masses
        ("[IU]/L", "U/L", None),  # of insulin and of enzymes
        ("meq/L", "mmol/L", None),  # needs the charge
        ("ug/mL{DDU}", "ug/mL{FEU}", None),  # one is about twice the other
        ("ug/mL", "ug/mL{FEU}", None),
        ("mL/min", "mL/min/{1.73_m2}", None),
        ("{titer}", "1", None),
        ("mg/dL/", "mg/dL", None),
        ("(mg", "mg", None),
        ("mg{", "mg", None),
    ],
)
def test_what_cannot_be_converted_is_none(written, wanted, molar_mass):
    assert converted(1.0, written, wanted, molar_mass) is None


def test_a_thousand_cells_are_no_kelvin():
    """Which is what `K/uL` and `G/L` are by the grammar alone: a list goes before it."""
    assert dict(parse("K/uL").dimension)["K"] == 1
    assert canonical("K/uL") == "10*3/uL"
    assert canonical("G/L") == "10*9/L"


def test_every_spelling_of_the_list_is_a_unit_in_ucum():
    assert len(spellings()) > 80
    assert all(parse(code) for code in spellings().values())


def test_own_spellings_come_first():
    assert canonical("mg%") is None
    assert canonical("mg%", {"mg%": "mg/dL"}) == "mg/dL"


def test_a_text_that_only_spells_a_code_is_no_conflict():
    assert not differ("mmHg", "mm[Hg]")
    assert not differ("an unknown text", "mg/dL")
    assert differ("mmol/L", "mg/dL")
    assert differ("g/dL", "g/L")
    assert differ("degF", "Cel")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("IU/L", "U/L"),
        ("mEq/L", "mmol/L"),
        ("mOsm/kg", "mmol/kg"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("K/uL", "10*3/uL"),
    ],
)
def test_units_that_may_be_one_by_the_substance_are_no_conflict(text, code):
    assert not differ(text, code)


def test_every_unit_of_a_concept_of_omop_is_one_in_ucum():
    known = _units()
    assert len(known) > 40
    assert [code for code in known.values() if canonical(code) != code] == []


units = st.sampled_from(sorted({f"{p}{atom}" for p in ["", *PREFIXES] for atom in METRIC}))


@given(units, units)
def test_a_quotient_has_the_factors_of_its_parts(above, below):
    quotient, (up, down) = parse(f"{above}/{below}"), (parse(above), parse(below))
    if up is None or down is None:
        return
    assert quotient is not None
    assert quotient.factor == pytest.approx(up.factor / down.factor)
    assert conversion(f"{above}/{below}", f"{above}/{below}") == (1, 0)


@given(st.text(alphabet="mgdLKu/.()[]{}10*%^2- ", max_size=12))
def test_any_text_is_read_or_not_and_raises_nothing(text):
    code = canonical(text)
    assert code is None or parse(code) is not None
