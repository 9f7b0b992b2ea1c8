"""Columns that identify a person, recognised by name.

The list follows the direct identifiers of the HIPAA Safe Harbor rule (45 CFR 164.514(b)(2)): names,
places smaller than a state, dates, contact details, numbers of records, accounts, devices and
licences. It knows English names only and looks at no value: it is a net, not a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WHOLE = {
    "name", "names", "address", "city", "town", "street", "county", "zip", "phone", "telephone",
    "mobile", "fax", "email", "e_mail", "mail", "passport", "photo", "url", "date", "initials",
    "patient", "patients", "participant", "subject", "subjid", "usubjid",
}  # fmt: skip
# Parts of a name between underscores: `home_phone`, `date_of_birth`, `family_name`.
PARTS = re.compile(
    r"(^|_)((first|last|middle|full|family|given|sur|maiden|user|patient|subject|next_of_kin)_?name"
    r"|surname|forename|(street|home|postal|ip|mail|email|e_mail)_address|zip_?code|post_?code"
    r"|phone(_number)?|telephone|mobile_number|fax_number|e_?mail"
    r"|medical_record(_number|_no)?|record_number|mrn|ssn|social_security(_number|_no)?"
    r"|nhs_(number|no)|passport(_number|_no)?|insurance_(number|id|no)|account_(number|no)"
    r"|licen[cs]e_(number|no|plate)|serial_number|date_of_\w+|\w+_date|birth_?(date|day)"
    r"|dob|(patient|person|participant|subject|case|record|hospital|chart|admission|encounter"
    r"|specimen|accession|pat)_?(ids?|identifier|number|num|no|nr|code|key)"
    r"|ids?|identifiers?)($|_)"
)


def identifying(names: Iterable[str]) -> list[str]:
    """Those of `names` that look like direct identifiers of a person."""
    return [name for name in names if _words(name) in WHOLE or PARTS.search(_words(name))]


def _words(name: str) -> str:
    """`Date of Birth`, `dateOfBirth` and `date-of-birth` are all `date_of_birth`."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")
