"""Put the predictions of the parts of a data set together."""

from pathlib import Path

from bioloom.files import join_texts
from bioloom.pipeline.command import run
from bioloom.predictions.parts import check_ids, join_parquet, remove_others


def main(parts: list[Path], predictions: Path, table: Path) -> None:
    """Write predictions.parquet, and the same as CSV; what is left of other parts is removed."""
    check_ids(parts)
    join_parquet(parts, predictions)
    join_texts([part.with_suffix(".csv") for part in parts], table, header=True)
    remove_others(parts)


if __name__ == "__main__":
    run(__doc__, {"parts": [Path], "predictions": Path, "table": Path}, main)
