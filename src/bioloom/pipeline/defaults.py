"""What a task may leave out: filled in from its application, so that four lines are a task."""

from __future__ import annotations

from typing import Any

from bioloom.application import get_application
from bioloom.embedders import embedder_names, get_embedder

Content = dict[str, Any]

SECTIONS = ("features", "preprocess", "model", "baselines")


def with_defaults(content: Content) -> Content:
    """A task's content with the sections that it does not say.

    A split that is not said is chosen by the samples, and the leakage limit with it.
    """
    chosen = get_application(content["application"]).defaults(content)
    filled = {key: chosen[key] for key in SECTIONS if key in chosen} | content
    if "baselines" not in content:
        filled["baselines"] = _baselines(filled)
    if "split" not in content:
        filled = {"split": {"method": "auto"}, "leakage": {"limit": "auto"}} | filled
    return filled


def _baselines(task: Content) -> Content:
    """The application's baselines, but those that are the run of the task itself.

    A task with features of a foundation model also has the same model without them.
    """
    own = {"features": task["features"], "model": task["model"]}
    others = _cheap(task["features"]) | task.get("baselines", {})
    return {name: baseline for name, baseline in others.items() if own | baseline != own}


def _cheap(features: Content) -> Content:
    """The baseline on letters in the same form: a row a token, a segment or a sequence."""
    embedder = features["embedder"]
    if embedder not in embedder_names() or features.get("alphabet") == "text":
        return {}
    if not hasattr(get_embedder(embedder), "load"):
        return {}
    kept = {key: features[key] for key in ("alphabet", "network") if key in features}
    if features.get("pooling") in ("tokens", "segments"):
        shape = {key: features[key] for key in ("pooling", "segments") if key in features}
        return {"no_foundation_model": {"features": {"embedder": "one_hot", **shape, **kept}}}
    return {"no_foundation_model": {"features": {"embedder": "composition", **kept}}}
