"""Put what was exported of the parts of a data set together."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.pipeline.command import run


def main(application: str, parts: list[Path], folder: Path) -> None:
    """Write the application's files into `folder`."""
    join = get_application(application).join
    if join is None:
        raise ValueError(f"{application} has no parts")
    folder.mkdir(parents=True, exist_ok=True)
    join(parts, folder)


if __name__ == "__main__":
    run(__doc__, {"application": str, "parts": [Path], "folder": Path}, main)
