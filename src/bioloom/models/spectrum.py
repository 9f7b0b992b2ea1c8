"""Letters of a read as the k-mer spectrum proposes them: nothing is learnt."""

from __future__ import annotations

from dataclasses import dataclass

from bioloom.embedders.read_evidence import PROPOSED
from bioloom.models import as_read


@dataclass(kw_only=True)
class Model(as_read.Model):
    """Gives each letter as `reads.correction` left it."""

    columns = PROPOSED
