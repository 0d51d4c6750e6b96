"""An ensemble: the weighted mean of other models' calibrated probabilities.

For each target ``p = sum_m w_m p_m``, the weights 0 or more with the sum 1. They minimise the log
loss of the dev rows,

    ``-mean_i log sum_m w_m p_m(truth_i)``,

by expectation maximisation of the mixture's weights: ``w_m`` becomes the mean over the rows of
``w_m p_m / sum_j w_j p_j``, which raises the likelihood with every step (Dempster, Laird, Rubin,
"Maximum likelihood from incomplete data via the EM algorithm", 1977). The likelihood is concave, so
it converges to the one maximum. Without a dev part all weights are equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from speechnet.core.bounds import Values
from speechnet.core.errors import ConfigError, DataError
from speechnet.models.model import MODELS, Context, Fitted, Model, Rows, inputs

if TYPE_CHECKING:
    from speechnet.core.types import FeatureSet, Float64, Int64, Targets

_STEPS: Final = 500
_FEWEST: Final = 10
"""Dev rows below which the weights stay equal."""
_SMALLEST: Final = 1e-12
_ROUNDING: Final = 1e-9
_LARGEST_FILE: Final = 65_536


@MODELS.register("ensemble")
@dataclass
class Ensemble(Model):
    """Weighted mean of other models' calibrated probabilities, the weights learnt on the dev part.

    Attributes:
        of: the models, each of which is among the experiment's; two or more.
    """

    label = "Ensemble"

    of: Annotated[list[str], Values(0, once=True)] = field(default_factory=list)

    @property
    def made_of(self) -> Sequence[str]:
        """See ``Model``."""
        return self.of

    def check(self, targets: Sequence[str], *, dev: bool) -> None:
        """See ``Model``."""
        del targets, dev
        if len(self.of) < 2:
            raise ConfigError(f"of is {self.of}, expected two models or more, such as [mlp, svm]")

    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """See ``Model``. Only the weights are fitted, on the dev rows alone."""
        del train
        members = {
            name: Member(context.fitted[name], context.models[name].extractor) for name in self.of
        }
        weights = dict.fromkeys(context.targets, [1 / len(members)] * len(members))
        if len(dev):
            found = _predictions(members, dev.features)
            for column, target in enumerate(context.targets):
                weights[target] = fit_weights(found[target], dev.labels[:, column])
        return FittedEnsemble(members, weights, context.targets)

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> Fitted:
        """See ``Model``; the members are read from the same folder."""
        from speechnet.core.reading import PlainError, parse_json, read_regular
        from speechnet.models.calibration import load_fitted

        path = folder / f"{name}.json"
        try:
            content = parse_json(read_regular(path, largest=_LARGEST_FILE))
        except (OSError, PlainError) as error:
            raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
        if fault := _fault(content, name, targets):
            raise DataError(f"{path} can't be used: {fault}")
        members = {
            member: Member(load_fitted(folder, member, targets), extractor)
            for member, extractor in content["members"].items()
        }
        return FittedEnsemble(members, content["weights"], targets)


class Member(NamedTuple):
    """A fitted model, calibrated, and the extractor it takes; see ``Model.extractor``."""

    fitted: Fitted
    extractor: str | None


class FittedEnsemble(Fitted):
    """Fitted members and their weights.

    Args:
        members: by name.
        weights: by target, of each member; 0 or more, with the sum 1.
        targets: each target's ordered classes.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        weights: Mapping[str, Sequence[float]],
        targets: Targets,
    ) -> None:
        self.members = dict(members)
        self.weights = {target: [*weights[target]] for target in targets}
        self.targets = targets

    def predict_proba(self, features: FeatureSet) -> dict[str, Float64]:
        """See ``Fitted``."""
        import numpy as np

        found = _predictions(self.members, features)
        return {
            target: np.tensordot(weights, found[target], axes=1)
            for target, weights in self.weights.items()
        }

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>.json``, which names the members' extractors and weights.

        The members save themselves.
        """
        from speechnet.core.files import write_whole

        extractors = {member: one.extractor for member, one in self.members.items()}
        content = {"members": extractors, "weights": self.weights}
        text = json.dumps(content, indent=1, allow_nan=False)
        write_whole(folder / f"{name}.json", f"{text}\n".encode())


def fit_weights(probabilities: Float64, truth: Int64) -> list[float]:
    """The weights of least log loss; see the formula at the head of this module.

    Args:
        probabilities: of some rows by several models, float64 ``[m, n, k]``, rows sum to 1.
        truth: int64 ``[n]``, -1 where there is no label.

    Returns:
        ``m`` weights, 0 or more, with the sum 1; equal ones where fewer than ten rows have a label.
    """
    import numpy as np

    known = np.flatnonzero(truth >= 0)
    weights = np.full(len(probabilities), 1 / len(probabilities))
    if len(known) < _FEWEST:
        return list(map(float, weights))
    of_truth = probabilities[:, known, truth[known]].clip(_SMALLEST)
    for _ in range(_STEPS):
        shares = weights[:, None] * of_truth
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return list(map(float, weights / weights.sum()))


def _predictions(members: Mapping[str, Member], features: FeatureSet) -> dict[str, Float64]:
    """By target what each member gives: float64 ``[m, n, k]``."""
    import numpy as np

    found = [one.fitted.predict_proba(inputs(features, one.extractor)) for one in members.values()]
    return {target: np.stack([one[target] for one in found]) for target in found[0]}


def _fault(content: Any, name: str, targets: Targets) -> str:
    """What is wrong with a file that may come from anywhere; an empty text if nothing."""
    if not isinstance(content, dict) or content.keys() != {"members", "weights"}:
        return "expected members and weights"
    members, weights = content["members"], content["weights"]
    if not isinstance(members, dict) or name in members or not members.keys() <= MODELS.keys():
        return f"found the members {members!r:.99}, expected other models"
    if not all(isinstance(one, str | None) for one in members.values()):
        return "expected the name of an extractor, or null, of each member"
    if not isinstance(weights, dict) or weights.keys() != targets.keys():
        return f"expected weights of each of {list(targets)}"
    for target, of in weights.items():
        numbers = isinstance(of, list) and all(type(one) in {int, float} for one in of)
        valid = numbers and len(of) == len(members) and all(0 <= one <= 1 for one in of)
        if not valid or abs(sum(of) - 1) > _ROUNDING:
            return f"the weights of {target} are {of!r:.99}, expected shares of the sum 1"
    return ""
