"""Logistic regression with an L2 penalty; ridge regression where the label is a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bioloom.arrays import Shaped
from bioloom.models._scikit import ScikitModel


@dataclass(kw_only=True)
class Model(ScikitModel):
    """Linear in the features, which should be standardised."""

    C: float = 1.0
    """Inverse strength of the penalty; the ridge penalty is 1 / C."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""
    max_iter: int = 1000
    """Steps of the solver, at most."""

    def build(self, X: Shaped) -> Any:
        """LogisticRegression or Ridge."""
        from sklearn.linear_model import LogisticRegression, Ridge

        if self.output == "values":
            return Ridge(alpha=1 / self.C)
        return LogisticRegression(C=self.C, class_weight=self.class_weight, max_iter=self.max_iter)

    @property
    def trusted(self) -> list[str]:
        """What `build` gives."""
        linear = "sklearn.linear_model"
        return [f"{linear}._logistic.LogisticRegression", f"{linear}._ridge.Ridge"]
