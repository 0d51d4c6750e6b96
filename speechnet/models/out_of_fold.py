"""What models say about training rows that they weren't fitted on.

The training rows are divided into inner folds, speakers apart where the split keeps them apart.
Each model is fitted once more on each fold's fit side, with the hyper-parameters that its search on
the whole training part chose, is stopped by the dev part and calibrated on it as the model itself
is, and predicts the held side. So these probabilities are made as those of new recordings are, only
by models that have heard a little less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np

from speechnet.core.errors import ConfigError, SpeechnetError, in_words
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Float64, Int64
from speechnet.core.wording import all_of, counted, plural
from speechnet.models.calibration import Calibrated, calibrate
from speechnet.models.candidates import InnerFolds
from speechnet.models.model import Context, Divider, Rows

_SILENT: Final[dict[str, Any]] = {
    each.name: each.default
    for each in fields(Context)
    if each.name in {"loggers", "progress", "searched", "trained", "noted"}
}
"""What a context reports to, left as it is by default."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of rows by models that weren't fitted on them.

    Attributes:
        rows: positions among the training rows, int64 ``[n]``.
        probabilities: of each target, float64 ``[m, n, k]``, the models in the order asked for.
    """

    rows: Int64
    probabilities: dict[str, Float64]


def predict_held_out(
    names: Sequence[str], train: Rows, dev: Rows, context: Context, *, folds: int
) -> HeldOut:
    """Predict the training rows by models that were fitted on other ones.

    Parallel as ``joblib.parallel_config`` says. An inner fold on which a model fails is left out
    for all of them, which is noted.

    Args:
        names: models of the experiment that were fitted before.
        train: the training rows.
        dev: the dev part, which may be empty.
        context: of the model that asks.
        folds: the most inner folds; fewer where speakers, or rows of a class, are few.

    Returns:
        All training rows but those of folds that were left out; perhaps none.

    Raises:
        ConfigError: a model is made of others, and so can't be fitted alone.
    """
    for name in names:
        if context.models[name].made_of:
            raise ConfigError(f"models.{name} is made of others: it can't be fitted on inner folds")
    pairs = context.inner_folds(folds)
    found: list[list[_Outcome]] = []
    what = f"{context.name}: {counted(len(names), 'model')} on {counted(len(pairs), 'inner fold')}"
    with temporary_folder() as folder, context.progress(what, len(names) * len(pairs)) as advance:
        for name in names:
            tasks = (
                joblib.delayed(_fit_and_predict)(
                    train, dev, _inside(context, name, number, Path(folder), fit), fit, held
                )
                for number, (fit, held) in enumerate(pairs)
            )
            # A joint model distributes its own work.
            at_once = 1 if context.models[name].joint else None
            found.append([])
            for one in joblib.Parallel(n_jobs=at_once, return_as="generator")(tasks):
                found[-1].append(one)
                advance(1)
    failed: dict[int, str] = {}
    for name, outcomes in zip(names, found, strict=True):
        for number, one in enumerate(outcomes):
            if isinstance(one, str):
                failed.setdefault(number, f"{name} failed: {one}")
    for why in dict.fromkeys(failed.values()):
        where = [number + 1 for number, other in failed.items() if other == why]
        folds_said = f"inner {plural(len(where), 'fold', 'folds')} {all_of(where)}"
        context.noted(f"nothing is learnt from {folds_said}, on which {why}")
    kept = [number for number in range(len(pairs)) if number not in failed]
    none = np.empty(0, dtype=np.int64)
    return HeldOut(
        np.concatenate([none, *(pairs[number][1] for number in kept)]),
        {target: _joined(found, kept, target, len(k)) for target, k in context.targets.items()},
    )


_Outcome = dict[str, Float64] | str
"""Probabilities of held rows by target, or how the model failed."""


def _joined(found: Sequence[Sequence[Any]], kept: Sequence[int], target: str, k: int) -> Float64:
    """The probabilities of one target, float64 ``[m, n, k]``."""
    none = np.empty((0, k))
    return np.stack(
        [np.concatenate([none, *(of[number][target] for number in kept)]) for of in found]
    )


def _inside(context: Context, name: str, number: int, folder: Path, fit: Int64) -> Context:
    """The context of one model on the fit side of one inner fold; nothing is reported."""
    return replace(
        context,
        inner_folds=partial(_among, context.inner_folds, fit),
        folder=folder,
        name=f"{name}_{number}",
        chosen=context.choices.get(name, {}),
        fitted={name: context.fitted[name]},
        probabilities=True,
        **_SILENT,
    )


def _among(divide: Divider, fit: Int64, folds: int, among: Int64 | None = None) -> InnerFolds:
    """Inner folds of some of the training rows."""
    return divide(folds, fit if among is None else fit[among])


def _fit_and_predict(train: Rows, dev: Rows, context: Context, fit: Int64, held: Int64) -> _Outcome:
    """The probabilities that one model, fitted on some training rows, gives to others."""
    [(name, before)] = context.fitted.items()
    asked = context.models[name]
    some, other = (Rows(train.source, train.positions[of], asked.extractor) for of in (fit, held))
    stop = Rows(dev.source, dev.positions, asked.extractor)
    try:
        fitted = asked.fit(some, stop, context)
        if isinstance(before, Calibrated):
            fitted = calibrate(fitted, stop)
        return fitted.predict_proba(other.features)
    except (ValueError, ArithmeticError, SpeechnetError) as error:
        return in_words(error)
