"""Units of laboratories: in UCUM (Unified Code for Units of Measure), and as hospitals write them.

A unit is a factor and a dimension; two units are converted where their dimensions are one. Of UCUM
(ucum.org, version 2.1) those atoms are read that laboratories use, in the case-sensitive form. What
hospitals write is looked up first, as a whole, in `ucum.csv`: by the rules of UCUM `K/uL` is a
kelvin per microlitre. Amounts of substance do not cancel: mmol/mol is no per cent. What an
annotation says (`ug/mL{FEU}`, `mL/min/{1.73_m2}`) is part of the quantity: UCUM gives it no size,
so two quantities of other annotations are not converted.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

SYSTEM = "http://unitsofmeasure.org"
"""How FHIR calls UCUM."""
Dimension = Mapping[str, int]

PREFIXES = {
    **{"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1, "d": 1e-1, "c": 1e-2},
    **{"m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18},
}
_PASCAL = {"g": 1, "m": -1, "s": -2}
METRIC: dict[str, tuple[float, Dimension]] = {
    **{"g": (1, {"g": 1}), "m": (1, {"m": 1}), "s": (1, {"s": 1}), "mol": (1, {"mol": 1})},
    **{"L": (1e-3, {"m": 3}), "l": (1e-3, {"m": 3}), "K": (1, {"K": 1}), "eq": (1, {"eq": 1})},
    **{"osm": (1, {"osm": 1}), "kat": (1, {"mol": 1, "s": -1}), "Hz": (1, {"s": -1})},
    **{"U": (1e-6 / 60, {"mol": 1, "s": -1}), "Pa": (1e3, _PASCAL), "bar": (1e8, _PASCAL)},
    **{"m[Hg]": (133.322e6, _PASCAL), "m[H2O]": (9.80665e6, _PASCAL)},
    **{"J": (1e3, {"g": 1, "m": 2, "s": -2}), "W": (1e3, {"g": 1, "m": 2, "s": -3})},
    **{"cal": (4184, {"g": 1, "m": 2, "s": -2}), "Bq": (1, {"Bq": 1}), "Gy": (1, {"Gy": 1})},
    **{"[IU]": (1, {"IU": 1}), "[iU]": (1, {"IU": 1}), "t": (1e6, {"g": 1})},
}
"""Atoms that take prefixes: their size in gram, metre, second, mole ..., and their dimension."""
PLAIN: dict[str, tuple[float, Dimension]] = {
    **{"%": (1e-2, {}), "[ppth]": (1e-3, {}), "[ppm]": (1e-6, {}), "[ppb]": (1e-9, {})},
    **{"10*": (10, {}), "10^": (10, {}), "[pi]": (math.pi, {}), "[pH]": (1, {"pH": 1})},
    **{"min": (60, {"s": 1}), "h": (3600, {"s": 1}), "d": (86400, {"s": 1})},
    **{"wk": (604800, {"s": 1}), "mo": (2629800, {"s": 1}), "a": (31557600, {"s": 1})},
    **{"[in_i]": (0.0254, {"m": 1}), "[ft_i]": (0.3048, {"m": 1}), "deg": (1, {"deg": 1})},
    **{"[lb_av]": (453.59237, {"g": 1}), "[oz_av]": (28.349523125, {"g": 1})},
    **{"[stone_av]": (6350.29318, {"g": 1}), "[drp]": (1, {"drop": 1})},
    **{"[HPF]": (1, {"HPF": 1}), "[LPF]": (1, {"LPF": 1}), "[CFU]": (1, {"CFU": 1})},
    **{"[arb'U]": (1, {"arb'U": 1}), "[USP'U]": (1, {"USP'U": 1}), "[AU]": (1, {"AU": 1})},
}
SCALES = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9)}
"""Temperatures that do not begin at absolute zero: kelvin = factor x value + shift."""
_TERM = re.compile(
    rf"(?:(?P<plain>{'|'.join(map(re.escape, sorted(PLAIN, key=len, reverse=True)))})"
    rf"|(?P<prefix>da|[{''.join(p for p in PREFIXES if len(p) == 1)}])?"
    rf"(?P<metric>{'|'.join(map(re.escape, sorted(METRIC, key=len, reverse=True)))})"
    r"|(?P<number>[1-9]\d*))(?P<power>[+-]?\d+)?(?P<note>\{[^{}]*\})?(?=[./)]|$)"
)
_ANNOTATION = re.compile(r"\{[^{}]*\}")
ARBITRARY = {"IU", "arb'U", "USP'U", "AU", "eq", "osm"}
"""Dimensions of which one may be another, by the substance."""
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# The micro sign and the Greek letter are one letter.
_LETTERS = str.maketrans({"\u00b5": "u", "\u03bc": "u", "\u00d7": "x"})
_SUPERSCRIPTS = f"[{''.join(map(chr, _DIGITS))}]+"


@dataclass(frozen=True)
class Unit:
    """A unit: `factor` and `shift` make base units of a value; `dimension` says of what.

    `notes` are its annotations.
    """

    factor: float
    dimension: tuple[tuple[str, int], ...]
    shift: float = 0.0
    notes: frozenset[str] = frozenset()

    def of(self, power: int) -> Unit:
        """The unit to a power; of amounts of substance the place above or below the line stays."""
        dims = {
            _side(name, power): n * (abs(power) if "mol" in name else power)
            for name, n in self.dimension
        }
        return replace(self, factor=self.factor**power, dimension=_sorted(dims))

    def times(self, other: Unit) -> Unit:
        """The product of two units."""
        dims = Counter(dict(self.dimension))
        dims.update(dict(other.dimension))
        notes = self.notes | other.notes
        return Unit(self.factor * other.factor, _sorted(dims), notes=notes)


def _side(name: str, power: int) -> str:
    turned = {"mol": "/mol", "/mol": "mol"}
    return turned.get(name, name) if power < 0 else name


def _sorted(dims: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, n) for name, n in dims.items() if n))


@cache
def parse(code: str) -> Unit | None:
    """The unit of a UCUM code, None for what is none (or none of a laboratory).

    None is also what is too large or small for a number, as by a power of thousands.
    """
    if code in SCALES:
        factor, shift = SCALES[code]
        return Unit(factor, (("K", 1),), shift)
    if code in ("", "1"):
        return Unit(1.0, ()) if code else None
    try:
        unit, end = _product(code, 0)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return unit if end == len(code) and 0 < unit.factor < math.inf else None


def _product(code: str, at: int) -> tuple[Unit, int]:
    """The terms from a place on to the end, or to a closing bracket."""
    found, power = Unit(1.0, ()), 1
    if code.startswith("/", at):
        power, at = -1, at + 1
    while True:
        unit, at = _component(code, at)
        found = found.times(unit.of(power))
        if at == len(code) or code[at] == ")":
            return found, at
        if code[at] not in "./":
            raise ValueError(code)
        power, at = (1 if code[at] == "." else -1), at + 1


def _component(code: str, at: int) -> tuple[Unit, int]:
    if code.startswith("(", at):
        unit, at = _product(code, at + 1)
        if not code.startswith(")", at):
            raise ValueError(code)
        return unit, at + 1
    if note := _ANNOTATION.match(code, at):
        return Unit(1.0, (), notes=frozenset({note[0]})), note.end()
    if not (term := _TERM.match(code, at)):
        raise ValueError(code)
    power, notes = int(term["power"] or 1), frozenset(filter(None, [term["note"]]))
    if term["number"]:
        return Unit(float(term["number"]) ** power, (), notes=notes), term.end()
    factor, dimension = PLAIN[term["plain"]] if term["plain"] else METRIC[term["metric"]]
    size = factor * PREFIXES.get(term["prefix"] or "", 1.0)
    return Unit(size, _sorted(dimension), notes=notes).of(power), term.end()


@cache
def spellings() -> Mapping[str, str]:
    """What hospitals write -> UCUM, as `ucum.csv` lists it."""
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        return {row["written"]: row["ucum"] for row in csv.DictReader(file)}


def canonical(written: str, own: Mapping[str, str] | None = None) -> str | None:
    """The UCUM code of a unit as it is written: by `own` spellings, `ucum.csv`, else as it stands.

    None where nothing reads it.

    >>> canonical("K/uL"), canonical("mmHg"), canonical("furlong")
    ('10*3/uL', 'mm[Hg]', None)
    """
    plain = re.sub(f"10(?={_SUPERSCRIPTS})", "10^", written.strip()).translate(_LETTERS)
    plain = plain.translate(_DIGITS)
    code = (own or {}).get(written) or spellings().get(plain, plain)
    return code if parse(code) else None


def conversion(
    source: str, target: str, molar_mass: float | None = None
) -> tuple[float, float] | None:
    """Factor and shift that make a value in the code `target` of one in `source`; None for none.

    Mass and amount of substance are converted with a `molar_mass` in g/mol alone.

    >>> conversion("g/L", "mg/dL")
    (100.0, 0.0)
    >>> factor, _ = conversion("mmol/L", "mg/dL", molar_mass=180.156)
    >>> round(factor, 4)
    18.0156
    """
    here, there = parse(source), parse(target)
    if here is None or there is None or here.notes != there.notes:
        return None
    if here.dimension != there.dimension:
        if molar_mass is None:
            return None
        for one, other in (("mol", "g"), ("g", "mol")):
            dims = dict(here.dimension)
            n = dims.pop(one, 0)
            moved = Counter(dims)
            moved[other] += n
            if n == 1 and _sorted(moved) == there.dimension:
                here = replace(
                    here,
                    factor=here.factor * (molar_mass if one == "mol" else 1 / molar_mass),
                    dimension=there.dimension,
                )
                break
        else:
            return None
    # To 14 digits, so that decimal factors are the numbers that they are: 1,000 and not 999.9...
    factor = float(f"{here.factor / there.factor:.14g}")
    return factor, float(f"{(here.shift - there.shift) / there.factor:.14g}")


@lru_cache(4096)
def differ(written: str, code: str) -> bool:
    """Whether a unit as it is written surely is another one than the code beside it.

    International units, equivalents and annotations are not: `IU/L` is what many write for U/L.

    >>> differ("mg/dL", "mmol/L"), differ("IU/L", "U/L")
    (True, False)
    """
    texts = canonical(written), canonical(code)
    here, there = (parse(text) if text else None for text in texts)
    if here is None or there is None:
        return False
    if here.dimension != there.dimension:
        names = {name.removeprefix("/") for name, _ in here.dimension + there.dimension}
        return not names & ARBITRARY
    return not math.isclose(here.factor, there.factor) or here.shift != there.shift
