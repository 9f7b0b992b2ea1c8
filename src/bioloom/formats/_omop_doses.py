"""Doses of OMOP's drug_exposure: what is taken a day, by `drug_strength`, quantity and days.

An exposure has the codes of its drug and, where `drug_strength` tells them, of its ingredients, so
that all products of a substance are named at once. The value of an ingredient's code is the amount
a day, in `<unit>/d`; the drug's code has it where there is one ingredient alone. Doses are those of
which OHDSI's "How to calculate drug dose" and the text of the model on `quantity` leave no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.formats.columns import numbers, require_columns, text, without_point

DRUG, INGREDIENT = "drug_concept_id", "ingredient_concept_id"
HOUR, PUFF = "h", "{actuat}"
PARTS = ("amount", "numerator", "denominator")


def read_strengths(table: pd.DataFrame, file: Path, units: Mapping[str, str]) -> pd.DataFrame:
    """`drug, ingredient, amount, unit, rate` of the rows of drug_strength that are valid.

    `amount` is that of what `quantity` counts: a piece, a puff, or a pack of which the whole is
    told (`denominator_value`); of a `rate` that of an hour. It is missing for a concentration
    alone, such as mg/mL, of which `quantity` may be the volume, grams of a gel, or the amount of
    ingredient injected. Rows without an ingredient are left out.
    """
    require_columns(table, [DRUG, INGREDIENT], file)
    table = table[text(table[INGREDIENT]).notna()]
    if "invalid_reason" in table:
        table = table[text(table["invalid_reason"]).isna()]
    value, unit = dict[str, pd.Series](), dict[str, pd.Series]()
    for part in PARTS:
        none = pd.Series(np.nan, table.index)
        name, concept = f"{part}_value", f"{part}_unit_concept_id"
        value[part] = numbers(table[name], file) if name in table else none
        ids = without_point(text(table[concept])) if concept in table else none.astype("str")
        ids = ids.mask(ids == "0")
        unit[part] = ids.map(units).fillna("concept " + ids)
    rate = unit["denominator"] == HOUR
    counted = value["denominator"].notna() | (unit["denominator"] == PUFF)
    an_hour = value["numerator"] / value["denominator"].fillna(1)
    of_one = an_hour.where(rate, value["numerator"].where(counted))
    found = {
        "drug": without_point(text(table[DRUG])),
        "ingredient": without_point(text(table[INGREDIENT])),
        "amount": value["amount"].fillna(of_one),
        "unit": unit["amount"].where(value["amount"].notna(), unit["numerator"]),
        "rate": rate & value["amount"].isna(),
    }
    strengths = pd.DataFrame(found).drop_duplicates()
    # Two strengths of one substance in one drug are none.
    several = strengths.duplicated(["drug", "ingredient"], keep=False)
    strengths["amount"] = strengths["amount"].mask(several)
    return strengths.drop_duplicates(["drug", "ingredient"])


def with_doses(
    events: pd.DataFrame, table: pd.DataFrame, file: Path, strengths: pd.DataFrame
) -> pd.DataFrame:
    """The events of drug_exposure with doses, and a row more for each ingredient.

    `events` are indexed as the `table` that they are of; both rows of an exposure keep its line.
    """
    pieces, days = (
        numbers(table[name], file).reindex(events.index) if name in table else np.nan
        for name in ("quantity", "days_supply")
    )
    told = pd.DataFrame({"drug": events["code"], "a_day": pieces / days}, index=events.index)
    told["a_day"] = told["a_day"].where((told["a_day"] > 0) & np.isfinite(told["a_day"]))
    each = told.rename_axis("at").reset_index().merge(strengths, on="drug").set_index("at")
    # An hour's amount is released whatever the quantity; all else is shared among the days.
    each["value"] = each["amount"].where(each["rate"], each["amount"] * each["a_day"])
    each["unit"] = each["unit"] + "/" + pd.Series("d", each.index).mask(each["rate"], HOUR)
    each["unit"] = each["unit"].where(each["value"].notna())
    single = each[each.groupby("at")["ingredient"].transform("size") == 1]
    events = events.assign(
        value=single["value"].reindex(events.index), unit=single["unit"].reindex(events.index)
    )
    beside = events.loc[each.index].assign(
        code=each["ingredient"], value=each["value"], unit=each["unit"]
    )
    return pd.concat([events, beside[beside["code"] != each["drug"]]])
