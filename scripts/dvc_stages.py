"""Write dvc.yaml for the tasks of a config."""

from pathlib import Path

import yaml

from bioloom.files import replacing
from bioloom.pipeline.command import run
from bioloom.pipeline.dvc import HEADER, dvc_stages, planned_jobs
from bioloom.pipeline.project import read_project


def main(config: Path, stages: Path) -> None:
    """Write dvc.yaml."""
    said = yaml.safe_load(config.read_text())
    content = dvc_stages(read_project(said), said, planned_jobs())
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
    with replacing(stages) as temporary:
        temporary.write_text(HEADER + text)


if __name__ == "__main__":
    run(__doc__, {"config": Path, "stages": Path}, main)
