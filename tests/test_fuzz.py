"""A short, seeded form of `python -m tests.fuzz`: what is altered is read, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import REFUSED, SUCCESS, Target, outcome, run_sound, targets

READ = 40  # inputs of a reader; an ingest takes many times as long
INGESTED = 4


@pytest.mark.slow
@pytest.mark.parametrize("target", targets().values(), ids=lambda target: target.name)
def test_sound_files_are_read_and_altered_ones_read_or_refused(target: Target, tmp_path: Path):
    run_sound(target, tmp_path)
    inputs = INGESTED if "." in target.name else READ
    ends = {seed: outcome(target, seed) for seed in range(inputs)}
    assert {seed: end for seed, end in ends.items() if end not in (SUCCESS, REFUSED)} == {}
