"""What a wheel carries beside the package: the workflow, its tasks and data, in share/bioloom.

`bioloom.pipeline.home` finds it there. All else is said in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup

CARRIED = ("Snakefile", "config.yaml", "workflow", "scripts", "envs", "profiles", "tasks", "data")
LEFT_OUT = {"__pycache__", "build"}


def files_of(part: Path) -> list[Path]:
    """A file, or all files in a folder but what is compiled and what builds the data."""
    if part.is_file():
        return [part]
    found = (path for path in sorted(part.rglob("*")) if path.is_file())
    return [path for path in found if not LEFT_OUT & set(path.parts)]


by_folder: dict[str, list[str]] = {}
for name in CARRIED:
    for file in files_of(Path(name)):
        place = Path("share/bioloom") / file.parent
        by_folder.setdefault(place.as_posix(), []).append(file.as_posix())

setup(data_files=sorted(by_folder.items()))
