"""Metrics: what a score is, and the registry that tables, intervals, figures and searches ask.

A metric is one function of arrays, registered with the properties that scoring, resampling and
display need. Ours are in ``speechnet.evaluation.metrics``; an installed package adds more through
the entry points ``speechnet.metrics``. The registry is here because models (which search by a
metric), evaluation and report may all import this module, but not each other.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeVar, get_args

from speechnet.core.errors import ConfigError
from speechnet.core.registry import Registry

INPUTS: Final = ("truth", "predicted", "probability", "classes")
"""The parameters that a metric of a categorical target may have."""

Place = Literal["terminal", "page", "figure"]

EVERYWHERE: Final[tuple[Place, ...]] = get_args(Place)

Over = Literal["rows", "classes", "class"]

_ROUNDING: Final = 1e-9

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Metric:
    """A metric and its properties.

    Attributes:
        function: takes any of ``INPUTS`` by name: ``truth`` and ``predicted`` (int64 ``[n]`` in
            ``0..k-1``), ``probability`` (float64 ``[n, k]``) and ``classes`` (the ``k`` names).
            Returns a float; NaN where the score is undefined.
        name: its name in ``scores.csv`` and in the configuration.
        label: its name in tables, such as ``UAR``.
        title: its name in figures.
        short: its name where a column is narrow.
        kind: the kind of target it is for.
        range: the lowest and the highest value.
        higher_is_better: whether larger values are better.
        over: what the score averages over. ``rows``; ``classes``: then it is undefined unless two
            or more classes have rows, and has no interval if a class has a single speaker;
            ``class``: nothing, ``function`` returns a value for each class.
        interval: whether it gets a bootstrap interval.
        shown: where it is shown besides ``scores.csv``: in the terminal's tables, in the tables of
            the report and of comparisons, as a figure.
        chance: the score of guessing, given the number of classes; None if that isn't known.
        resampled: the same scores of many resamples at once, for speed: takes a
            ``speechnet.evaluation.intervals.Resamples`` and returns float64 ``[r]``, or ``[k, r]``
            for a score of each class. Without it ``function`` is called once for each resample.
    """

    function: Callable[..., Any]
    name: str
    label: str
    title: str = ""
    short: str = ""
    kind: Literal["categorical", "continuous"] = "categorical"
    range: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    over: Over = "classes"
    interval: bool = False
    shown: tuple[Place, ...] = ()
    chance: Callable[[int], float] | None = None
    resampled: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "__module__", self.function.__module__)  # whose it is
        object.__setattr__(self, "title", self.title or self.label)
        object.__setattr__(self, "short", self.short or self.label)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The parameters of the function."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def tunable(self) -> bool:
        """Whether a search can maximise it: a single value from truth and predicted alone."""
        return self.over != "class" and set(self.inputs) <= {"truth", "predicted"}

    def names(self, classes: Sequence[str]) -> list[str]:
        """The names of its scores: its own, or ``<name>_<class>`` for each class."""
        return [f"{self.name}_{c}" for c in classes] if self.over == "class" else [self.name]

    def values(self, **inputs: Any) -> list[float]:
        """The score, or that of each class, from as many of ``INPUTS`` as the function takes.

        Raises:
            ConfigError: the function fails, or returns anything but numbers within its range.
        """
        try:
            found = self.function(**{name: inputs[name] for name in self.inputs})
            values = [float(each) for each in (found if self.over == "class" else [found])]
            if self.over == "class" and len(values) != len(inputs["classes"]):
                raise ValueError(
                    f"it returned {len(values)} values for {len(inputs['classes'])} classes"
                )
            low, high = self.range[0] - _ROUNDING, self.range[1] + _ROUNDING
            outside = [each for each in values if not (math.isnan(each) or low <= each <= high)]
            if outside:
                raise ValueError(f"it returned {outside[0]:g}, expected {self.range}")
        except Exception as error:  # whatever a plugin's function raises
            raise self.failed(error) from error
        return values

    def failed(self, error: Exception) -> ConfigError:
        """An error that names the metric and where it comes from."""
        return ConfigError(
            f"the metric {self.name!r} of the package {METRICS.package(self.name)} "
            f"({self.__module__}) failed with {type(error).__name__}: {error}"
        )

    def report_failure(self, error: ConfigError) -> None:
        """Report, the first time, that the metric failed and is NaN there."""
        cause = error.__cause__ or error
        reason = ConfigError(f"{type(cause).__name__}: {cause}; its score is NaN there")
        METRICS.refuse(self.name, METRICS.package(self.name), reason)


def _missing(thing: Any) -> str:
    """What a metric lacks of the contract."""
    if thing.over not in get_args(Over):
        return f"a known over: found {thing.over!r}, expected one of {', '.join(get_args(Over))}"
    if isinstance(thing.shown, str) or not {*thing.shown} <= {*EVERYWHERE}:
        return f"known places: found shown={thing.shown!r}, expected some of {EVERYWHERE}"
    if thing.over == "class" and thing.shown:
        return "shown=(): the report lists the scores of each class by itself"
    by_class = [name for name, each in METRICS.registered.items() if each.over == "class"]
    if taken := [name for name in by_class if thing.name.startswith(f"{name}_")]:
        return f"a name of its own: {thing.name} may be the {taken[0]} of a class"
    if thing.name == "n":
        return "a name of its own: n is the number of rows"
    unknown = sorted(set(thing.inputs) - set(INPUTS))
    if unknown:
        return f"known parameters: found {', '.join(unknown)}, expected {', '.join(INPUTS)}"
    if (thing.interval or thing.shown) and not -1 <= thing.range[0] < thing.range[1] <= 1:
        return f"a range within -1 to 1, which intervals and per cent need: found {thing.range}"
    return ""


METRICS: Final[Registry[Metric]] = Registry(
    "metric",
    group="speechnet.metrics",
    modules=("speechnet.evaluation.metrics",),
    missing=_missing,
)


def metric(name: str, *, label: str, **properties: Any) -> Callable[[F], F]:
    """Register a function as a metric; ``properties`` are further attributes of ``Metric``.

    Raises:
        ValueError: the name is taken, or the metric lacks part of the contract.
    """

    def add(function: F) -> F:
        METRICS.register(name)(Metric(function, name, label, **properties))
        return function

    return add


def shown(place: Place) -> list[Metric]:
    """The metrics of categorical targets that are shown in a place."""
    return [each for each in METRICS.values() if place in each.shown]


def tuning_metric(name: str, *, key: str) -> Metric:
    """The metric that a search maximises; ``key`` is the setting that names it.

    Raises:
        ConfigError: there is no such metric, or a search can't compute it.
    """
    found = METRICS[name]
    if not found.tunable:
        known = ", ".join(each for each, one in METRICS.items() if one.tunable)
        raise ConfigError(
            f"{key} is {name}: a search needs one value from truth and predicted alone; expected "
            f"one of {known}"
        )
    return found
