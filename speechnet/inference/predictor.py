"""Recognising sounds with a finished run, as a library."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final, get_args

import pandas as pd
from numpy.typing import ArrayLike

from speechnet.audio.channels import channel_correlation, channel_notes, frame_powers, in_frames
from speechnet.audio.prepare import as_rate, as_samples, check_rate, check_size, prepare
from speechnet.audio.signal_statistics import bandwidth
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.types import Float32, Float64, Targets
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.functionals.backends import make_backend, rehearse
from speechnet.inference.prediction import Prediction, Unlike, check_abstain, recognition
from speechnet.inference.sliding_windows import timeline_of_samples
from speechnet.models.novelty import Novelties

__all__ = ["Prediction", "Predictor"]

_ONE_AT_A_TIME: Final = threading.Lock()
"""Held while features are computed, by one thread of the process: the number of torch's threads,
which is 1 meanwhile, is the whole process's."""


class Predictor:
    """A finished run whose classifiers are in memory; several threads may use it at once.

    Features are computed on the CPU, by one thread of the process at a time. Nothing is kept of
    what is recognised.

    Args:
        run: the run.
        model: a model's name; ``best`` (see ``speechnet.evaluation.selection``); ``all``.

    Attributes:
        run: the run.
        targets: each target's ordered classes.
        models: the loaded models' names; the first is used unless another one is asked for.
        sample_rate: in Hz, of what features are computed from; sounds may have any.

    Raises:
        ConfigError: the run has no such model.
        DataError: a classifier is missing or damaged.
    """

    def __init__(self, run: SavedRun, *, model: str = "best") -> None:
        self.run = run
        self.targets: Targets = run.targets
        self.models = list(run.choose(model))
        recipe = run.config.data.recipe
        self.sample_rate = recipe.audio.sample_rate
        self._backend = make_backend(recipe.backend, recipe.denoise, recipe.features)
        for name in self.models:
            for fold in range(run.folder.info["folds"]):
                run.fitted(name, fold)
        with _ONE_AT_A_TIME:
            rehearse(recipe)  # so that the first sound need not wait for what is made once

    def predict(
        self,
        y: ArrayLike,
        sr: float | None = None,
        *,
        model: str | None = None,
        abstain: float = 0.0,
        unlike: Unlike = "keep",
    ) -> Prediction:
        """Recognise one sound, as the command ``predict`` recognises a file of these samples.

        Args:
            y: samples ``[n]``, ``[n, channels]`` or ``[channels, n]``, an array, a tensor or a
                list: floats, full scale 1, or integers of 8, 16 or 32 bits. Channels are mixed as
                those of a file; of one of them ask by ``y[:, 0]``.
            sr: their rate in Hz; it must be given.
            model: one of ``models``; by default the first.
            abstain: where the likeliest class has a lower probability there is no label, 0 to 1.
            unlike: ``abstain`` for no label either where the sound is unlike the training data.

        Raises:
            Excluded: the sound can't be used, such as one that is silent or too short. One that is
                longer than ``data.audio.max_duration`` has a ``timeline``.
            DataError: ``y`` or ``sr`` is of another kind.
            ConfigError: the model isn't loaded, ``abstain`` is no probability, the run doesn't know
                what is unlike its training data, or it standardises features by speaker.
        """
        name = self.models[0] if model is None else model
        if name not in self.models:
            loaded = ", ".join(self.models)
            raise ConfigError(f"model {name} is not among those loaded ({loaded})")
        return self._recognise(y, sr, [name], abstain, unlike)[name]

    def predict_all(
        self,
        y: ArrayLike,
        sr: float | None = None,
        *,
        abstain: float = 0.0,
        unlike: Unlike = "keep",
    ) -> dict[str, Prediction]:
        """Recognise one sound by every loaded model; see ``predict``."""
        return self._recognise(y, sr, self.models, abstain, unlike)

    def timeline(
        self,
        y: ArrayLike,
        sr: float | None = None,
        *,
        window: float = 3.0,
        hop: float = 1.5,
        abstain: float = 0.0,
        unlike: Unlike = "keep",
    ) -> pd.DataFrame:
        """Recognise a long sound window by window; see ``speechnet.inference.sliding_windows``."""
        return timeline_of_samples(
            self, y, sr, window=window, hop=hop, abstain=abstain, unlike=unlike
        )

    def probabilities(self, X: Float32) -> dict[str, dict[str, Float64]]:
        """What every loaded model makes of some features.

        Args:
            X: float32 ``[n, d]``, raw (standardised by speaker where the run does so).

        Returns:
            By model and target float64 ``[n, k]``, columns in the order of the classes.

        Raises:
            DataError: ``X`` has other columns than the run.
        """
        self._check_width(X)
        return {name: self.run.predict_proba(name, X) for name in self.models}

    def novelty(self, X: Float32) -> Novelties:
        """How unlike the training data some features are.

        Args:
            X: float32 ``[n, d]``, as ``probabilities`` takes them.

        Raises:
            DataError: ``X`` has other columns than the run.
        """
        self._check_width(X)
        return self.run.novelty(X)

    def _check_width(self, X: Float32) -> None:
        d = len(self.run.folder.info["features"])
        if X.ndim != 2 or X.shape[1] != d:
            raise DataError(f"X has shape {X.shape}, the run's features are [n, {d}]")

    def check_unlike(self, unlike: Unlike) -> None:
        """Refuse to abstain where it isn't known what is unlike the training data.

        Raises:
            ConfigError: the run was made before it kept that, or ``unlike`` is something else.
        """
        if unlike not in get_args(Unlike):
            raise ConfigError(f"unlike is {unlike!r}, expected {' or '.join(get_args(Unlike))}")
        if unlike == "abstain" and not self.run.knows_novelty:
            raise ConfigError(
                f"{self.run.folder.path} was made before runs kept what their training data was "
                "like: it can't abstain on what is unlike it; fit it again"
            )

    def rows(self, clips: Iterable[Float32]) -> list[Float32 | Excluded]:
        """Features of sounds that are prepared.

        Args:
            clips: float32 mono ``[n_samples]`` each, as ``speechnet.audio.prepare`` gives them.

        Returns:
            Of each float32 ``[d]``, or why there are none.
        """
        return [self._described(clip) for clip in clips]

    def _described(self, clip: Float32) -> Float32 | Excluded:
        # One at a time is what a CPU is fastest at, and lets other threads take their turns.
        with _ONE_AT_A_TIME:
            try:
                (outcome,) = self._backend.rows([clip], self.sample_rate)
            except Exception as error:
                return Excluded("failed", f"{type(error).__name__}: {error}")
        return outcome

    def check_alone(self) -> None:
        """Refuse to take a sound by itself where the run compares those of one speaker.

        Raises:
            ConfigError: it does.
        """
        if self.run.config.data.features.per_speaker:
            raise ConfigError(
                f"{self.run.folder.path} standardises the features of each speaker (data.features."
                "per_speaker), which a single sound has too little for: recognise several of a "
                "speaker together by the command predict with --speakers, or fit a run with "
                "per_speaker: false"
            )

    def _recognise(
        self,
        y: ArrayLike,
        sr: float | None,
        models: Sequence[str],
        abstain: float,
        unlike: Unlike,
    ) -> dict[str, Prediction]:
        check_abstain(abstain)
        self.check_unlike(unlike)
        self.check_alone()
        samples, rate = as_samples(y), as_rate(sr)
        row, notes = self._row(samples, rate)
        found = {name: self.run.predict_proba(name, row[None]) for name in models}
        new, heard = self.novelty(row[None]), bandwidth(samples, rate)
        return {
            name: recognition(
                {target: p[0] for target, p in by_target.items()},
                self.targets,
                abstain=abstain,
                unlike=unlike,
                novelty=new.novelty[0],
                far=new.far[0],
                bandwidth=heard,
                notes=notes,
            )
            for name, by_target in found.items()
        }

    def _row(self, samples: Float32, rate: int) -> tuple[Float32, tuple[str, ...]]:
        """Features and notes."""
        config = self.run.config.data.audio
        check_rate(rate, config)
        check_size(*samples.shape, rate=rate, config=config)
        mono = prepare(samples, rate, config)
        (outcome,) = self.rows([mono.y])
        if isinstance(outcome, Excluded):
            raise outcome
        if samples.shape[1] == 1:
            return outcome, ()
        powers = frame_powers(in_frames(samples, rate))
        return outcome, channel_notes(mono.channel, channel_correlation(powers))
