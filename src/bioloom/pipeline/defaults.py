"""What a task may leave out: filled in from its application, so that four lines are a task.

A `features` list of one part is that part.
"""

from __future__ import annotations

from typing import Any

from bioloom.application import get_application
from bioloom.embedders import get_embedder, is_learnt, parts_of

Content = dict[str, Any]

SECTIONS = ("features", "preprocess", "model", "baselines")


def with_defaults(content: Content) -> Content:
    """A task's content with the sections that it does not say.

    A split that is not said is chosen by the samples, and the leakage limit with it.
    """
    content = _parts_alone(content)
    # Data for a finished model are in the form of those that it was trained on.
    datasets = {"training": next(iter(content["datasets"].values())), **content["datasets"]}
    chosen = get_application(content["application"]).defaults(content | {"datasets": datasets})
    filled = {key: chosen[key] for key in SECTIONS if key in chosen} | content
    if "baselines" not in content:
        filled["baselines"] = _baselines(filled)
    if "split" not in content:
        filled = {"split": {"method": "auto"}, "leakage": {"limit": "auto"}} | filled
    return filled


def _parts_alone(content: Content) -> Content:
    """The content with each `features` list of one part, also those of baselines, as the part."""
    alone = dict(content)
    if "features" in content:
        alone["features"] = _alone(list(parts_of(content["features"]).values()))
    if "baselines" in content:
        baselines = content["baselines"].items()
        alone["baselines"] = {name: _parts_alone(baseline) for name, baseline in baselines}
    return alone


def _alone(parts: list[Content]) -> Content | list[Content]:
    return parts[0] if len(parts) == 1 else parts


def _baselines(task: Content) -> Content:
    """The application's baselines, but those that are the run of the task itself.

    A task with features of a foundation model also has the same model without them, and on those
    of its untrained twin.
    """
    own = {"features": task["features"], "model": task["model"]}
    features = task["features"]
    others = _cheap(features) | _untrained(features) | task.get("baselines", {})
    return {name: baseline for name, baseline in others.items() if own | baseline != own}


def _cheap(features: Content | list[Content]) -> Content:
    """The baseline without foundation models: on letters in their place, or on the other parts."""
    parts = list(parts_of(features).values())
    kept: list[Content] = []
    for part in parts:
        other = _on_letters(part) if is_learnt(part) else part
        if other and other not in kept:
            kept.append(other)
    return {"no_foundation_model": {"features": _alone(kept)}} if kept and kept != parts else {}


def _untrained(features: Content | list[Content]) -> Content:
    """The baseline whose networks have drawn weights: what it lacks is what training gave."""
    parts = list(parts_of(features).values())
    if not any(map(is_learnt, parts)):
        return {}
    twins = [
        {key: value for key, value in part.items() if key != "finetune"} | {"untrained": 1}
        if is_learnt(part)
        else part
        for part in parts
    ]
    return {"untrained": {"features": _alone(twins)}}


def _on_letters(part: Content) -> Content | None:
    """Letters in the same form, a row a token, a segment or a sequence; none of a text."""
    if part.get("alphabet") == "text":
        return None
    kept: Content = {key: part[key] for key in ("alphabet", "network") if key in part}
    if alphabet := getattr(get_embedder(part["embedder"]), "ALPHABET", None):
        kept["alphabet"] = alphabet
    if part.get("pooling") in ("tokens", "segments"):
        shape = {key: part[key] for key in ("pooling", "segments") if key in part}
        return {"embedder": "one_hot"} | shape | kept
    return {"embedder": "composition"} | kept
