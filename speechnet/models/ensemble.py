"""An ensemble of other models: a mean, a weighted mean or a stacker of calibrated probabilities.

``speechnet.models.combination`` has the formulas. Weights and stackers are learnt for each target,
on rows that the members weren't fitted on: on the dev part, which costs nothing, but has few
speakers and has stopped the networks; or on all training rows by way of inner folds, which costs as
many more fits of each member as there are folds. Test rows are never among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError, DataError
from speechnet.models.model import MODELS, Context, Fitted, Model, Rows, inputs

if TYPE_CHECKING:
    from speechnet.core.types import FeatureSet, Float64, Int64, Targets
    from speechnet.models.combination import Combination

_LARGEST_FILE: Final = 2**20


@MODELS.register("ensemble")
@dataclass
class Ensemble(Model):
    """Other models' calibrated probabilities, combined.

    Attributes:
        of: the models, each of which is among the experiment's; two or more.
        how: ``mean``: all count alike; ``weights``: a mean with the weights of least log loss;
            ``stacker``: a logistic regression on the logarithms of the probabilities.
        learn_on: for weights and stackers: the ``dev`` part, or the training rows, each
            predicted by members that were fitted on other ``inner`` folds; these take as many more
            fits of each member.
        folds: the inner folds.
        prior: how strongly weights and stackers are drawn towards counting all models alike; the
            more, the more rows it takes to leave that. ``speechnet.models.combination`` has it as
            ``A``.
    """

    label = "Ensemble"

    of: Annotated[list[str], Values(0, once=True)] = field(default_factory=list)
    how: Literal["mean", "weights", "stacker"] = "mean"
    learn_on: Literal["dev", "inner"] = "inner"
    folds: Annotated[int, Number(ge=2)] = 5
    prior: Annotated[float, Number(gt=0)] = 100.0

    @property
    def made_of(self) -> Sequence[str]:
        """See ``Model``."""
        return self.of

    @property
    def search_folds(self) -> int:
        """See ``Model``."""
        return self.folds if self.how != "mean" and self.learn_on == "inner" else 0

    def check(self, targets: Sequence[str], *, dev: bool) -> None:
        """See ``Model``."""
        del targets
        if len(self.of) < 2:
            raise ConfigError(f"of is {self.of}, expected two models or more, such as [mlp, svm]")
        if self.how != "mean" and self.learn_on == "dev" and not dev:
            raise ConfigError(
                f"learn_on is dev, but data.split.dev is 0: no {self.how} can be learnt; set "
                "learn_on to inner, or how to mean"
            )

    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """See ``Model``. The members are fitted already; how they are combined is learnt here."""
        import numpy as np

        members = {
            name: Member(context.fitted[name], context.models[name].extractor) for name in self.of
        }
        found, labels = self._learnt_on(members, train, dev, context)
        combined: dict[str, Combination] = {}
        without: dict[str, dict[str, Combination]] = {name: {} for name in self.of}
        for (target, probabilities), truth in zip(found.items(), labels.T, strict=True):
            combined[target] = self._combine(probabilities, truth)
            for place, name in enumerate(self.of):
                others = np.delete(probabilities, place, axis=0)
                without[name][target] = self._combine(others, truth)
        if self.how != "mean" and not len(labels):
            context.noted(f"there is nothing to learn {self.how} on: its models count alike")
        return FittedEnsemble(members, combined, context.targets, without)

    def _learnt_on(
        self, members: Mapping[str, Member], train: Rows, dev: Rows, context: Context
    ) -> tuple[Mapping[str, Float64], Int64]:
        """Each target's probabilities ``[m, n, k]`` of some rows, and these rows' labels."""
        import numpy as np

        from speechnet.models.out_of_fold import predict_held_out

        if self.how == "mean":
            nothing = {t: np.empty((len(self.of), 0, len(k))) for t, k in context.targets.items()}
            return nothing, train.labels[:0]
        if self.learn_on == "inner":
            found = predict_held_out(self.of, train, dev, context, folds=self.folds)
            return found.probabilities, train.labels[found.rows]
        return _predictions(members, dev.features), dev.labels

    def _combine(self, probabilities: Float64, truth: Int64) -> Combination:
        """How models are combined that gave ``[m, n, k]`` to rows that are learnt from."""
        from speechnet.models.combination import WeightedMean, fit_stacker, fit_weights

        if self.how == "mean":
            return WeightedMean.equal(len(probabilities))
        learn = fit_weights if self.how == "weights" else fit_stacker
        return learn(probabilities, truth, prior=self.prior)

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> Fitted:
        """See ``Model``; the members are read from the same folder."""
        from speechnet.core.reading import PlainError, parse_json, read_regular
        from speechnet.models.calibration import load_fitted

        path = folder / f"{name}.json"
        try:
            content = parse_json(read_regular(path, largest=_LARGEST_FILE))
            extractors, combined = _read(content, name, targets)
        except (OSError, PlainError) as error:
            raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
        except ValueError as error:
            raise DataError(f"{path} can't be used: {error}") from error
        members = {
            member: Member(load_fitted(folder, member, targets), extractor)
            for member, extractor in extractors.items()
        }
        return FittedEnsemble(members, combined, targets)


class Member(NamedTuple):
    """A fitted model, calibrated, and the extractor it takes; see ``Model.extractor``."""

    fitted: Fitted
    extractor: str | None


class FittedEnsemble(Fitted):
    """Fitted members and how they are combined.

    Args:
        members: by name.
        combined: by target.
        targets: each target's ordered classes.
        without: by each member's name how the others are combined without it.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        combined: Mapping[str, Combination],
        targets: Targets,
        without: Mapping[str, Mapping[str, Combination]] = MappingProxyType({}),
    ) -> None:
        self.members = dict(members)
        self.combined = {target: combined[target] for target in targets}
        self.targets = targets
        self.without = dict(without)

    def predict_proba(self, features: FeatureSet) -> dict[str, Float64]:
        """See ``Fitted``."""
        found = _predictions(self.members, features)
        return {target: how.apply(found[target]) for target, how in self.combined.items()}

    def predict_without(self, features: FeatureSet) -> dict[str, Int64]:
        """See ``Fitted``."""
        import numpy as np

        found, called = _predictions(self.members, features), {}
        for name, combined in self.without.items():
            place = [*self.members].index(name)
            columns = [
                combined[target].apply(np.delete(found[target], place, axis=0)).argmax(axis=1)
                for target in self.targets
            ]
            called[name] = np.stack(columns, axis=1).astype(np.int64)
        return called

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>.json``: the members' extractors, and the numbers that combine them.

        The members save themselves.
        """
        from speechnet.core.files import write_whole

        extractors = {member: one.extractor for member, one in self.members.items()}
        combined = {target: how.plain() for target, how in self.combined.items()}
        content = {"members": extractors, "combined": combined}
        text = json.dumps(content, indent=1, allow_nan=False)
        write_whole(folder / f"{name}.json", f"{text}\n".encode())


def _predictions(members: Mapping[str, Member], features: FeatureSet) -> dict[str, Float64]:
    """By target what each member gives: float64 ``[m, n, k]``."""
    import numpy as np

    found = [one.fitted.predict_proba(inputs(features, one.extractor)) for one in members.values()]
    return {target: np.stack([one[target] for one in found]) for target in found[0]}


def _read(
    content: Any, name: str, targets: Targets
) -> tuple[dict[str, str | None], dict[str, Combination]]:
    """The members' extractors and how they are combined, from what may come from any file.

    Raises:
        ValueError: it isn't an ensemble of these targets.
    """
    from speechnet.models.combination import parse

    if not isinstance(content, dict) or content.keys() != {"members", "combined"}:
        raise ValueError("expected members, and how they are combined")
    members, combined = content["members"], content["combined"]
    if not isinstance(members, dict) or name in members or not members.keys() <= MODELS.keys():
        raise ValueError(f"found the members {members!r:.99}, expected other models")
    if not all(isinstance(one, str | None) for one in members.values()):
        raise ValueError("expected the name of an extractor, or null, of each member")
    if not isinstance(combined, dict) or combined.keys() != targets.keys():
        raise ValueError(f"expected how the members are combined for each of {list(targets)}")
    return members, {
        target: parse(combined[target], len(members), len(classes), what=target)
        for target, classes in targets.items()
    }
