"""Models that know the nodes of a network by id."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bioloom.models._estimator import Estimator


class OfNodes(Estimator):
    """A model whose arrays have a row a training node, in the order of `nodes`."""

    nodes: np.ndarray

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors and the nodes by id (nodes.json)."""
        super().write_state(folder)
        (folder / "nodes.json").write_text(json.dumps(self.nodes.tolist()) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        super().read_state(folder)
        self.nodes = np.array(json.loads((folder / "nodes.json").read_text()), dtype=str)
