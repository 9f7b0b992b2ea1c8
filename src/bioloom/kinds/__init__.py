"""What is predicted of what."""

from __future__ import annotations

from typing import Literal

Kind = Literal["binary", "multiclass", "regression", "multiregression", "per_residue", "per_pair"]
CLASSIFICATION = ("binary", "multiclass", "per_residue", "per_pair")
"""Kinds whose answers are class probabilities: of a sample, of a residue, of a pair of residues."""
