"""A finished run applied to sounds in memory, as a library."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

import pandas as pd
from numpy.typing import ArrayLike

from speechnet.audio.blocks import Stream, stream
from speechnet.audio.channels import channel_correlation, channel_notes, frame_powers, in_frames
from speechnet.audio.prepare import (
    as_rate,
    as_samples,
    check_rate,
    check_size,
    one_channel,
    prepare,
)
from speechnet.audio.signal_statistics import bandwidth
from speechnet.core.errors import ConfigError, Excluded, in_words
from speechnet.core.types import Features, FeatureSet, Float32, Targets
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extraction.compute import compute, gather, rehearse
from speechnet.inference.prediction import Prediction, Unlike, recognition
from speechnet.inference.windows import Windows, timeline

_ONE_AT_A_TIME: Final = threading.Lock()
"""Held while features are computed, by one thread of the process: torch's number of threads, which
is 1 meanwhile, belongs to the whole process."""


class Predictor:
    """A finished run whose classifiers are in memory; several threads may use it at once.

    Features are computed on the CPU, by one thread of the process at a time. Nothing of what is
    recognised is kept.

    Args:
        run: the run.
        model: a model's name; ``best`` (see ``speechnet.evaluation.selection``); ``all``.

    Attributes:
        run: the run.
        targets: each target's ordered classes.
        models: the loaded models' names; the first is used unless another one is asked for.

    Raises:
        ConfigError: the run has no such model.
        DataError: a classifier is missing or damaged.
    """

    def __init__(self, run: SavedRun, *, model: str = "best") -> None:
        self.run = run
        self.targets: Targets = run.targets
        self.models = list(run.choose(model))
        self._recipe = run.config.data.recipe
        for name in self.models:
            for fold in range(run.folder.info["folds"]):
                run.fitted(name, fold)
        with _ONE_AT_A_TIME:
            rehearse(self._recipe)  # so that the first sound need not wait for one-time work

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
                those of a file; give ``y[:, 0]`` for one of them.
            sr: their rate in Hz; it must be given.
            model: one of ``models``; by default the first.
            abstain: a label needs at least this probability, 0 to 1.
            unlike: ``abstain`` for no label where the sound is unlike the training data.

        Raises:
            Excluded: the sound can't be used, such as one that is silent or too short. Use
                ``timeline`` for one longer than ``data.audio.max_duration``.
            DataError: ``y`` or ``sr`` is of another kind.
            ConfigError: the model isn't loaded, ``abstain`` isn't a probability, the run doesn't
                know what is unlike its training data, or it standardises features by speaker.
        """
        name = self.models[0] if model is None else model
        if name not in self.models:
            loaded = ", ".join(self.models)
            raise ConfigError(f"model {name} is not among those loaded ({loaded})")
        return self.predict_all(y, sr, models=[name], abstain=abstain, unlike=unlike)[name]

    def predict_all(
        self,
        y: ArrayLike,
        sr: float | None = None,
        *,
        models: Sequence[str] | None = None,
        abstain: float = 0.0,
        unlike: Unlike = "keep",
    ) -> dict[str, Prediction]:
        """Recognise one sound by several loaded models, by default all; see ``predict``."""
        self._check(abstain, unlike)
        samples, rate = as_samples(y), as_rate(sr)
        check_rate(rate, self._recipe.audio)
        clips, taken = self._prepared(samples, rate)
        features = self.describe_clips(clips)
        notes: tuple[str, ...] = ()
        if samples.shape[1] > 1:
            powers = frame_powers(in_frames(samples, rate))
            notes = channel_notes(taken, channel_correlation(powers))
        bandwidth_hz = bandwidth(samples, rate)
        (found,) = self.recognise(
            features, [bandwidth_hz], notes=[notes], models=models, abstain=abstain, unlike=unlike
        )
        return found

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
        """Recognise a long sound window by window; see ``speechnet.inference.windows``.

        Args:
            y: samples, as ``predict`` takes them.
            sr: their rate in Hz.
            window: seconds of a window.
            hop: seconds from the start of one window to the start of the next.
            abstain: a label needs at least this probability, 0 to 1.
            unlike: ``abstain`` for no label where a window is unlike the training data.

        Returns:
            A row for each window and loaded model, in the order of time: start and end (s), model;
            for each target the label, then the probability of every class as
            ``<target>_<class>``; novelty, unlike (yes or no), far and bandwidth (Hz), as
            ``Prediction`` has them; reason: why a window can't be used (``silent`` and others of
            ``speechnet.core.types.REASONS``), else empty. Such a window has no labels, and NaN for
            probabilities.

        Raises:
            Excluded: the sound can't be used as a whole.
            ConfigError: the windows don't fit the run's bounds, ``abstain`` isn't a probability,
                the run doesn't know what is unlike its training data, or standardises features by
                speaker.
        """
        windows = self._windows(window, hop, abstain, unlike)
        samples, rate = as_samples(y), as_rate(sr)
        check_rate(rate, self._recipe.audio)
        sound = Stream(rate, samples.shape[1], len(samples), iter([samples]))
        return timeline(self, sound, windows, abstain=abstain, unlike=unlike)

    def timeline_of_file(
        self,
        path: Path,
        *,
        window: float = 3.0,
        hop: float = 1.5,
        abstain: float = 0.0,
        channel: int | None = None,
        unlike: Unlike = "keep",
    ) -> pd.DataFrame:
        """``timeline`` of a file of any length, of which little more than a window is in memory.

        A channel, counted from 0, is the only one to be recognised; None is for all, mixed as the
        run does.
        """
        windows = self._windows(window, hop, abstain, unlike)
        with stream(path, self._recipe.audio) as sound:
            blocks = sound.blocks
            if channel is not None:
                blocks = (one_channel(block, channel) for block in blocks)
            whole = replace(sound, blocks=blocks)
            return timeline(self, whole, windows, abstain=abstain, unlike=unlike)

    def recognise(
        self,
        features: FeatureSet,
        bandwidths: Sequence[float],
        *,
        notes: Sequence[tuple[str, ...]] | None = None,
        models: Sequence[str] | None = None,
        abstain: float = 0.0,
        unlike: Unlike = "keep",
    ) -> list[dict[str, Prediction]]:
        """The predictions of each recording, by model, from their features.

        Features are raw, or standardised by speaker where the run does so. Each recording has a
        bandwidth in Hz and may have notes, codes of ``speechnet.core.types.NOTES``. ``models`` are
        some of those loaded, None for all; the rest is as for ``predict``.
        """
        new = self.run.novelty(features)
        found = {name: self.run.predict_proba(name, features) for name in models or self.models}
        return [
            {
                name: recognition(
                    {target: p[i] for target, p in by_target.items()},
                    self.targets,
                    abstain=abstain,
                    unlike=unlike,
                    novelty=new.novelty[i],
                    far=new.far[i],
                    bandwidth=bandwidth_hz,
                    notes=notes[i] if notes else (),
                )
                for name, by_target in found.items()
            }
            for i, bandwidth_hz in enumerate(bandwidths)
        ]

    def check_unlike(self, unlike: Unlike) -> None:
        """Refuse to abstain where the run can't tell what is unlike its training data.

        Raises:
            ConfigError: it has no vectors, or ``unlike`` is neither ``keep`` nor ``abstain``.
        """
        if unlike not in get_args(Unlike):
            raise ConfigError(f"unlike is {unlike!r}, expected {' or '.join(get_args(Unlike))}")
        if unlike == "abstain" and not self.run.knows_novelty:
            raise ConfigError(
                f"{self.run.folder.path} has no vectors, so it can't tell what is unlike its "
                "training data and can't abstain on that; fit it again with functionals in "
                "data.features"
            )

    def describe(self, samples: Float32, rate: int) -> FeatureSet:
        """Features of one sound, which is mixed, resampled, trimmed and denoised like a file.

        Args:
            samples: float32 ``[n, channels]``.
            rate: in Hz.

        Raises:
            Excluded: it can't be used.
        """
        return self.describe_clips(self._prepared(samples, rate)[0])

    def describe_clips(self, clips: Mapping[int, Float32]) -> FeatureSet:
        """Features of one prepared sound.

        Args:
            clips: float32 mono ``[n_samples]`` at each sample rate in Hz that the run's extractors
                want; see ``speechnet.audio.decode.load_at_rates``.

        Raises:
            Excluded: an extractor can't describe it.
        """
        extractors = self._recipe.extractors
        # One at a time is what a CPU is fastest at, and lets other threads take their turns.
        with _ONE_AT_A_TIME:
            try:
                found = compute(self._recipe, {r: [y] for r, y in clips.items()}, list(extractors))
            except Exception as error:
                raise Excluded("failed", in_words(error)) from error
        features: dict[str, Features] = {}
        for name, extractor in extractors.items():
            (outcome,) = found[name]
            if isinstance(outcome, Excluded):
                raise outcome
            features[name] = gather(extractor, [outcome], [""])
        return FeatureSet(features)

    def check_alone(self) -> None:
        """Refuse a run that compares the sounds of a speaker: it can't take one by itself.

        Raises:
            ConfigError: it is one.
        """
        if self.run.config.data.per_speaker:
            raise ConfigError(
                f"{self.run.folder.path} standardises the features of each speaker (data."
                "per_speaker), which a single sound has too little for: recognise several of a "
                "speaker together by the command predict with --speakers, or fit a run with "
                "per_speaker: false"
            )
        if self._recipe.by_name:
            raise ConfigError(
                f"{self.run.folder.path} takes features by the names of recordings (data.features."
                f"{self._recipe.by_name[0]}), which a sound alone or a window doesn't have: "
                "recognise whole recordings by the command predict, or fit a run without it"
            )

    def _check(self, abstain: float, unlike: Unlike) -> None:
        if not 0 <= abstain <= 1:
            raise ConfigError(f"abstain is {abstain}, expected a probability, 0 to 1")
        self.check_unlike(unlike)
        self.check_alone()

    def _prepared(self, samples: Float32, rate: int) -> tuple[dict[int, Float32], int]:
        """The clips that ``describe_clips`` takes, and ``SignalStatistics.channel_taken``."""
        audio, rates = self._recipe.audio, sorted({*self._recipe.rates.values()})
        check_size(*samples.shape, rate=rate, config=replace(audio, sample_rate=max(rates)))
        monos = {each: prepare(samples, rate, replace(audio, sample_rate=each)) for each in rates}
        return {each: mono.y for each, mono in monos.items()}, monos[max(rates)].channel

    def _windows(self, window: float, hop: float, abstain: float, unlike: Unlike) -> Windows:
        self._check(abstain, unlike)
        return Windows.of(self._recipe.audio, length=window, hop=hop)
