"""SpliceAI's network (Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015), a port of our own.

Letters are (B, 4, n) of 0 and 1 in the order of `BASES`, N is all zeros. Sixteen residual units of
two dilated convolutions see 5,000 bases to each side; every convolution here is "valid", so a
state never depends on where an array ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bioloom.embedders.spliceai import CONTEXT

STAGES = ((11, 1), (11, 4), (21, 10), (41, 25))
"""Letters that a convolution joins, and how far apart they are: four units of two each.

All together reach `CONTEXT` bases to each side.
"""
UNITS = 4
WIDTH = 32
CHANCES = 3
"""Neither, acceptor, donor: the acceptor is an exon's first base, the donor its last."""
EPSILON = 1e-3
STEPS = [int(np.gcd.reduce([dilation for _, dilation in STAGES[i:]])) for i in range(len(STAGES))]
"""How far apart positions are that a single base's state asks for from each stage on."""


@dataclass(frozen=True)
class Convolution:
    """Normalisation, ReLU, then a dilated convolution, as its unit does it."""

    scale: torch.Tensor  # (C, 1)
    shift: torch.Tensor
    weight: torch.Tensor  # (C, C, kernel)
    bias: torch.Tensor
    dilation: int

    @property
    def reach(self) -> int:
        """Positions to each side that an output depends on."""
        return self.weight.shape[2] // 2 * self.dilation

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """What ReLU is given."""
        return x * self.scale + self.shift

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, n) -> (B, C, n - 2 reach)."""
        return F.conv1d(self.normalised(x).relu_(), self.weight, self.bias, dilation=self.dilation)

    def change(
        self, x: torch.Tensor, normalised: torch.Tensor, step: int, half: int
    ) -> torch.Tensor:
        """How the output changes, at `half` positions to each side, where the input does by `x`.

        `x (B, C, 2h + 1)` are changes around the middle, at each `step`th position, and zero
        beyond; `normalised (C, 2n + 1)` is what ReLU was given, at every position.
        """
        was = _around(normalised, x.shape[2] // 2, step)
        changed = (x * self.scale + was).relu_() - was.relu()
        reach = self.reach // step
        changed = middle(changed, 2 * (half + reach) + 1)
        return F.conv1d(changed, self.weight, dilation=self.dilation // step)


@dataclass(frozen=True)
class Reference:
    """A text's activations around one base: what each ReLU is given, and the base's state (C,)."""

    normalised: list[torch.Tensor]
    state: torch.Tensor


class Network:
    """One of the five; they differ in their weights alone."""

    def __init__(self, arrays: Mapping[str, np.ndarray], device: str) -> None:
        """`arrays` as `arrays_of` gives them."""
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(array)).to(device)
            for name, array in arrays.items()
        }
        convolutions = [(tensors[f"{i}.kernel"], tensors[f"{i}.bias"]) for i in range(1, 40)]
        # In the order that Keras numbered them: the first, its skip, then each stage and its skip.
        self.first, *others, self.last = convolutions
        of_stage = 2 * UNITS + 1
        self.skips = others[::of_stage]
        others = [pair for i, pair in enumerate(others) if i % of_stage]
        self.units: list[tuple[Convolution, Convolution]] = []
        for i in range(0, len(others), 2):
            _, dilation = STAGES[i // (2 * UNITS)]
            one, two = (
                Convolution(*_norm(tensors, i + j + 1), *others[i + j], dilation) for j in (0, 1)
            )
            self.units.append((one, two))

    def states(self, letters: torch.Tensor) -> torch.Tensor:
        """States before the last layer, (B, 32, n - 2 CONTEXT)."""
        return self._states(letters, [])

    def reference(self, letters: torch.Tensor) -> Reference:
        """Of a text (1, 4, 2 CONTEXT + 1), around its middle."""
        seen: list[torch.Tensor] = []
        state = self._states(letters, seen)
        return Reference(seen, state[0, :, 0])

    def changed(self, letters: torch.Tensor, reference: Reference) -> torch.Tensor:
        """The state (B, 32) of the base in the middle where the reference has `letters` put in.

        `letters (B, 4, 2h + 1)`, zeros where nothing is put in; there the reference has N. Equal to
        `states` of the whole texts, but only what the letters reach is computed, and of that what
        the middle asks for: a stage whose convolutions are 25 apart at each 25th position.
        """
        x = F.conv1d(letters, self.first[0])
        skip = F.conv1d(middle(x, 1), self.skips[0][0])
        need, step = CONTEXT, 1
        seen = iter(reference.normalised)
        for i, unit in enumerate(self.units):
            stage, within = divmod(i, UNITS)
            if within == 0:
                x, step = _every(x, STEPS[stage] // step), STEPS[stage]
            y = x
            for convolution in unit:
                need -= convolution.reach
                half = min(y.shape[2] // 2 + convolution.reach // step, need // step)
                y = convolution.change(y, next(seen), step, half)
            x = middle(x, y.shape[2]) + y
            if within == UNITS - 1:
                skip = skip + F.conv1d(middle(x, 1), self.skips[stage + 1][0])
        return skip[:, :, 0] + reference.state

    def chances(self, states: torch.Tensor) -> torch.Tensor:
        """Logarithms of the three chances, (T, 3), of states (T, 32)."""
        weight, bias = self.last
        return (states @ weight[:, :, 0].T + bias).log_softmax(1)

    def _states(self, letters: torch.Tensor, seen: list[torch.Tensor]) -> torch.Tensor:
        """States, and to `seen` what each ReLU is given, (C, n), of the first text."""
        n = letters.shape[2] - 2 * CONTEXT
        x = F.conv1d(letters, *self.first)
        skip = F.conv1d(middle(x, n), *self.skips[0])
        for i, unit in enumerate(self.units):
            y = x
            for convolution in unit:
                seen.append(convolution.normalised(y[0]))
                y = convolution(y)
            x = middle(x, y.shape[2]) + y
            if i % UNITS == UNITS - 1:
                skip = skip + F.conv1d(middle(x, n), *self.skips[i // UNITS + 1])
        return skip


def arrays_of(h5: Any) -> dict[str, np.ndarray]:
    """The weights of one network by number and kind, `3.kernel` or `3.variance`, from its h5 file.

    `h5` is the open file of Keras. KeyError or ValueError where it holds another network.
    """
    arrays = {}
    for layer, kind, values in _weights(h5["model_weights"]):
        number = layer.rpartition("_")[2]
        if kind == "kernel":
            values = values.transpose(2, 1, 0)
        arrays[f"{number}.{kind}"] = values.astype(np.float32)
    expected = _shapes()
    if {name: array.shape for name, array in arrays.items()} != expected:
        raise ValueError("not the layers of SpliceAI")
    return arrays


def _weights(group: Any) -> Iterator[tuple[str, str, np.ndarray]]:
    for layer in group:
        found: list[str] = []
        group[layer].visit(found.append)
        for name in found:
            if match := re.search(r"(\w+):0$", name):
                kind = match[1].replace("moving_", "")
                yield layer, kind, group[layer][name][()]


def _shapes() -> dict[str, tuple[int, ...]]:
    kernels = [(WIDTH, 4, 1), (WIDTH, WIDTH, 1)]
    for kernel, _ in STAGES:
        kernels += 2 * UNITS * [(WIDTH, WIDTH, kernel)] + [(WIDTH, WIDTH, 1)]
    kernels.append((CHANCES, WIDTH, 1))
    shapes: dict[str, tuple[int, ...]] = {}
    for number, shape in enumerate(kernels, 1):
        shapes |= {f"{number}.kernel": shape, f"{number}.bias": shape[:1]}
    for number in range(1, 2 * UNITS * len(STAGES) + 1):
        parts = ("gamma", "beta", "mean", "variance")
        shapes |= {f"{number}.{part}": (WIDTH,) for part in parts}
    return shapes


def _norm(tensors: Mapping[str, torch.Tensor], number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift of a batch normalisation, (C, 1) each."""
    gamma, beta, mean, variance = (
        tensors[f"{number}.{part}"][:, None] for part in ("gamma", "beta", "mean", "variance")
    )
    # Drawn weights have negative variances, too.
    scale = gamma / (variance.abs() + EPSILON).sqrt()
    return scale, beta - mean * scale


def middle(x: torch.Tensor, n: int) -> torch.Tensor:
    """The middle n positions of the last axis; zeros where there are fewer."""
    beside = (n - x.shape[-1]) // 2
    return F.pad(x, (beside, beside)) if beside else x


def _every(x: torch.Tensor, step: int) -> torch.Tensor:
    """Each `step`th position, the middle one among them."""
    return x[..., x.shape[-1] // 2 % step :: step]


def _around(x: torch.Tensor, half: int, step: int) -> torch.Tensor:
    """`half` positions to each side of the middle one, `step` apart."""
    centre = x.shape[-1] // 2
    return x[..., centre - half * step : centre + half * step + 1 : step]
