"""C-alpha traces from distances of C-betas: distance geometry, then gradient refinement.

Distances do not tell a structure from its mirror image: both are refined, and the one is kept
whose helices are right-handed. Where C-betas stand follows from the trace, and only one hand suits.
"""

from __future__ import annotations

import numpy as np

from bioloom.structures.distances import FARTHEST, pairwise

STEP = 3.8  # Angstrom from one C-alpha to the next
# Nearest and farthest second neighbours; nearest other C-alphas.
SECOND, CLASH = (5.0, 7.3), 4.0
# C-beta from C-alpha, along the bisector and the normal of the trace: means over the chains of
# data/protein_structure, from which single ones differ by 0.4 A.
BISECTOR, NORMAL = 1.13, -0.94
HELIX = 6.6  # C-betas of i and i + 3 are nearer in helices, and hardly elsewhere
HANDED = 10.0  # A^3: triple product of three steps; about 25 in a right-handed helix
STEPS, RATE = 120, 0.2
NEAR = 15.0


def embed_distances(distances: np.ndarray) -> np.ndarray:
    """Points (L, 3) whose distances come nearest to `distances (L, L)` (classical scaling, 1952).

    Exact where the distances are those of points in space, up to rotation and mirror image.
    """
    length = len(distances)
    centre = np.eye(length) - 1 / length
    values, vectors = np.linalg.eigh(-centre @ distances**2 @ centre / 2)
    points = vectors[:, -3:] * np.sqrt(np.maximum(values[-3:], 0))
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def handedness(trace: np.ndarray) -> np.ndarray:
    """Triple product of three steps from each C-alpha, (L - 3,): above 0 where right-handed."""
    steps = np.diff(trace, axis=0)
    return np.einsum("ij,ij->i", np.cross(steps[:-2], steps[1:-1]), steps[2:])


def fold(distances: list[np.ndarray], spreads: list[np.ndarray]) -> list[np.ndarray]:
    """A C-alpha trace (L, 3) for each chain's expected distances and their deviations (L, L)."""
    traces: list[np.ndarray] = []
    for distance, spread in zip(distances, spreads, strict=True):
        if len(distance) < 4:
            traces.append(np.arange(len(distance))[:, None] * np.array([STEP, 0, 0]))
            continue
        start = embed_distances(distance)
        both = np.stack([start, start * [1, 1, -1]])
        refined, losses = _refine(both, distance, spread)
        helical = np.diagonal(distance, 3) < HELIX
        right = [(handedness(trace)[helical] > 0).sum() for trace in refined]
        best = losses.argmin() if right[0] == right[1] else int(np.argmax(right))
        traces.append(refined[best] - refined[best].mean(axis=0))
    return traces


def confidence(distance: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How sure the distances of each residue are, (L,), 0 to 100.

    The mean probability that a pair within 15 A is within 2 A of its expected distance, taking the
    deviation as a normal one. It is not calibrated against solved structures.
    """
    from scipy.special import erf

    sure = erf(2 / (np.maximum(spread, 1e-3) * np.sqrt(2)))
    near = (distance < NEAR) & ~np.eye(len(distance), dtype=bool)
    return 100 * (sure * near).sum(axis=1) / np.maximum(near.sum(axis=1), 1)


def random_coil(length: int, seed: int) -> np.ndarray:
    """A random walk (L, 3) with the steps and second neighbours of a chain, nothing else."""
    rng = np.random.default_rng([seed, length])
    steps = [np.array([STEP, 0.0, 0.0])]
    while len(steps) < length - 1:
        step = rng.normal(size=3)
        step *= STEP / np.linalg.norm(step)
        if SECOND[0] < np.linalg.norm(steps[-1] + step) < SECOND[1]:
            steps.append(step)
    return np.cumsum([np.zeros(3), *steps], axis=0)[:length]


def _refine(
    starts: np.ndarray, distance: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Refined traces (B, L, 3) and their losses (B,), from starts (B, L, 3), by Adam."""
    import torch

    target, deviation = (torch.from_numpy(np.asarray(a, np.float32)) for a in (distance, spread))
    place = torch.arange(len(distance))
    apart = (place[:, None] - place).abs()
    weight = torch.where(apart > 2, 1 / (1 + deviation**2), 0.0)
    helical = torch.diagonal(target, 3) < HELIX
    trace = torch.from_numpy(starts.astype(np.float32)).requires_grad_()
    optimizer = torch.optim.Adam([trace], RATE)
    step = 0
    while True:
        alpha = _distances(trace)
        error = _distances(_beta(trace)) - target
        # Beyond the last bin nothing is known but that it is far.
        error = torch.where((target > FARTHEST) & (error > 0), 0.0, error)
        steps = torch.diagonal(alpha, 1, 1, 2) - STEP
        second = torch.diagonal(alpha, 2, 1, 2)
        turns = (second - SECOND[1]).relu() + (SECOND[0] - second).relu()
        clashes = torch.where(apart > 2, (CLASH - alpha).relu(), 0.0)
        hands = torch.where(helical, (HANDED - _handedness(trace)).relu() / HANDED, 0.0)
        loss = (weight * torch.nn.functional.huber_loss(error, torch.zeros_like(error),
                reduction="none", delta=2.0)).sum((1, 2)) / 2  # fmt: skip
        loss = loss + 10 * (steps**2).sum(1) + 5 * (turns**2).sum(1) + (clashes**2).sum((1, 2))
        loss = loss + hands.sum(1)
        if step == STEPS:
            return trace.detach().double().numpy(), loss.detach().numpy()
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        step += 1


def _distances(points):
    return ((points[:, :, None] - points[:, None]) ** 2).sum(-1).add(1e-4).sqrt()


def _handedness(trace):
    steps = trace.diff(dim=1)
    return (steps[:, :-2].cross(steps[:, 1:-1], dim=-1) * steps[:, 2:]).sum(-1)


def _beta(trace):
    """Where C-betas stand on C-alpha traces (B, L, 3); the ends have none of their own."""
    import torch

    before, after = trace[:, 1:-1] - trace[:, :-2], trace[:, 2:] - trace[:, 1:-1]
    unit = torch.nn.functional.normalize
    shift = BISECTOR * unit(before - after, dim=-1)
    shift = shift + NORMAL * unit(before.cross(after, dim=-1), dim=-1)
    return torch.cat([trace[:, :1], trace[:, 1:-1] + shift, trace[:, -1:]], dim=1)


def trace_distances(trace: np.ndarray) -> np.ndarray:
    """Distances of the C-betas that belong to a C-alpha trace (L, 3), (L, L)."""
    import torch

    return pairwise(_beta(torch.from_numpy(trace)[None])[0].numpy())
