"""One safetensors file with weights, optimizer state and progress, replaced as a whole.

No pickle: the progress is JSON in the file's header.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bioloom.files import replacing

T = TypeVar("T")


def save_checkpoint(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Any
) -> None:
    """Write the file; a process killed meanwhile leaves the one before."""
    with replacing(path) as temporary:
        header = {"progress": json.dumps(asdict(progress))}
        save_file(_tensors(model, optimizer), temporary, metadata=header)


def load_checkpoint(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, kind: type[T]
) -> T | None:
    """Put the state of a checkpoint into model and optimizer; None where there is none."""
    if not path.exists():
        return None
    _start(optimizer)
    with safe_open(path, framework="pt") as file:
        progress = kind(**json.loads(file.metadata()["progress"]))
        tensors = _tensors(model, optimizer)
        with torch.no_grad():
            for name in file.keys():  # parameters that are never used have no optimizer state
                tensors[name].copy_(file.get_tensor(name))
    return progress


def _start(optimizer: torch.optim.Optimizer) -> None:
    """Let the optimizer make its state; a step without gradients would make none."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()


def _tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The very tensors of model and optimizer by name; a weight that is tied counts once."""
    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.data
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{name}.{key}"] = value
    return tensors
