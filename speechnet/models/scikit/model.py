"""The contract of a model that is an estimator of scikit-learn for each target."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeVar

from speechnet.core.bounds import Number, Values
from speechnet.models.candidates import Candidate, combinations
from speechnet.models.model import MODELS, Context, Fitted, Model, Rows

if TYPE_CHECKING:
    from speechnet.core.types import Targets
    from speechnet.models.scikit.pipelines import FitAndScore
    from speechnet.models.search import Sharing

T = TypeVar("T")
Tries = Annotated[list[T], Values()]
Weighting = Literal["balanced"] | None
Folds = Annotated[int, Number(ge=2)]
_NOT_TUNED: Final = frozenset({"folds", "layer"})
"""Settings of which no estimator knows."""


def tries(*values: Any) -> Any:
    """A setting's default: the values that a search tries."""
    return field(default_factory=lambda: [*values])


@dataclass
class ScikitModel(Model):
    """Each target's estimator, tuned on inner folds: every setting is a list of values to try.

    Subclasses say which estimator it is. Saving, loading, scaling, search and calibration are here.

    Attributes:
        folds: inner folds of the search.
        layer: of an encoder of which the features hold several layers: a place among these, from 0
            or from -1 for the last, ``mean`` of the scaled layers, or ``all`` to try each by
            itself; without effect on other columns, and refused where no features hold several.
        margins: whether the estimator gives decision values and no probabilities.
        trusted: the types that its file may hold beside those of ``speechnet.models.scikit.files``,
            such as ``sklearn.ensemble._forest.RandomForestClassifier``.
        untuned: hyper-parameters for comparisons in which a search would not be fair; empty where
            the model takes no part in these.
        reference: whether it is the untuned model to ask where one is enough.
    """

    folds: Folds = 5
    layer: Tries[Literal["mean", "all"] | int] = tries("mean")
    margins: ClassVar[bool] = False
    trusted: ClassVar[tuple[str, ...]] = ()
    untuned: ClassVar[Candidate] = {}
    reference: ClassVar[bool] = False

    @abstractmethod
    def estimator(self, candidate: Candidate, seed: int) -> Any:
        """An unfitted estimator of scikit-learn; it gets scaled features.

        Args:
            candidate: one value of each setting.
            seed: of whatever is random.
        """

    def sharing(self, plain: FitAndScore) -> FitAndScore | Sharing:
        """What a search runs; unless a model overrides it, each candidate is fitted alone."""
        return plain

    def candidates(self) -> list[Candidate]:
        """Every combination of the values; ``layer``'s come in where there are layers."""
        names = (each.name for each in fields(self) if each.name not in _NOT_TUNED)
        return combinations({name: getattr(self, name) for name in names})

    @property
    def search_folds(self) -> int:
        """See ``Model``."""
        return self.folds

    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """See ``Model``."""
        from speechnet.models.scikit.estimators import fit_estimators

        del dev
        return fit_estimators(self, train, context)

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> Fitted:
        """See ``Model``."""
        from speechnet.models.scikit.estimators import FittedEstimators

        return FittedEstimators.load(folder, name, targets, trusted=cls.trusted)


def untuned_models() -> dict[str, ScikitModel]:
    """The models that need no search, by name."""
    kinds = {name: kind for name, kind in MODELS.items() if issubclass(kind, ScikitModel)}
    return {name: kind() for name, kind in kinds.items() if kind.untuned}


def reference_model() -> str:
    """The name of the untuned model to ask where one is enough."""
    return next(name for name, model in untuned_models().items() if model.reference)
