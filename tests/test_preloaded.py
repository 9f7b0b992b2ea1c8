"""The `snakemake` of tests ends with the one who called it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.preloaded import programs_folder

SNAKEFILE = """
rule wait:
    shell: "mkfifo pipe; echo begun > begun; cat pipe"
"""


@pytest.mark.slow
def test_a_caller_that_is_killed_leaves_nothing_at_work(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    command = [programs_folder() / "snakemake", "--cores", "1", "--quiet"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        while not (tmp_path / "begun").exists():
            assert caller.poll() is None
            time.sleep(0.05)
        caller.kill()
        caller.stdout.read()  # until nobody holds it any more: Snakemake and its job are gone
