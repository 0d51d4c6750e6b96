"""The command ``export``: a run's network as an ONNX file that describes how to make its input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from speechnet.console.messages import output, say
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError, SpeechnetError
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.reading import read_regular
from speechnet.core.types import Float32, Float64, Targets
from speechnet.core.version import __version__
from speechnet.experiment.export_sound import front, front_of, of_torch, sounds, wanted
from speechnet.experiment.manifest import NAME as SUMS
from speechnet.experiment.run_location import check_writable
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.functionals import Functionals
from speechnet.features.log_mel import LogMel
from speechnet.models.model import MODELS, Fitted
from speechnet.models.training.onnx import INPUT, SAMPLES, networks, to_onnx

TOLERANCE: Final = 1e-5
"""The largest allowed difference from a probability of torch."""

TOLERANCE_OF_SOUNDS: Final = 1e-4
"""The same of a network that takes samples: a Fourier transform comes first."""

_BY_SPEAKER: Final = "Features are standardised by speaker, from several recordings of each"
_BATCHES: Final = (1, 7, 256)
"""Batch sizes that the model is tested with."""


def export(
    run_path: Path,
    *,
    model: str | None = None,
    out: Path | None = None,
    fold: int | Literal["all"] = "all",
) -> Path:
    """Write a run's network with its scaler and its calibration as ONNX.

    The model is run by onnxruntime and compared with torch before it is written.

    Args:
        run_path: the run folder.
        model: its name; None for the run's first network that can be exported.
        out: the folder for the file; None for ``export`` in the run folder.
        fold: the networks of one fold, or those of all, averaged as ``predict`` does.

    Returns:
        The file, ``model.onnx`` or ``model_fold_<N>.onnx``.

    Raises:
        ConfigError: a package is missing, the run has no such fold, or no such network that can be
            exported.
        SpeechnetError: the run or the disk is at fault, or the model gives other probabilities
            than torch.
    """
    if missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
        raise ConfigError(
            f"export needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed: pip install 'speechnet[onnx]'"
        )
    run = SavedRun(run_path)
    name = _exportable(run, model)
    folds, heard = _folds(run, fold), front_of(run, name)
    path = run.folder.path / "export" if out is None else out
    check_writable(path)
    path /= "model.onnx" if fold == "all" else f"model_fold_{fold}.onnx"
    with working("translating the network"):
        models = [run.fitted(name, number) for number in folds]
        if heard is None:
            made, cases = to_onnx(models, len(run.columns)), _vectors(models, run.targets)
        else:
            centred = _centred(run)
            made = to_onnx(models, len(heard.columns), front(heard, centred=centred))
            cases = _sounds(models, heard, run.targets, centred=centred)
        for key, text in _about(run, name, folds).items():
            made.metadata_props.add(key=key, value=text)
        content = made.SerializeToString()
        off = _largest_difference(content, cases)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    best = run.folder.best()
    if best is not None and best.model != name:
        say(f"The run's best model isn't {name} but {best.model}, {best.reason}", style="yellow")
    if run.config.data.per_speaker:
        say(f"{_BY_SPEAKER}: do so before you use the model.", style="yellow")
    say(
        f"Model: {path} ({len(content) / 1e6:.1f} MB, {len(folds)} of {run.folder.info['folds']} "
        f"folds; equal to torch within {off:.0e})",
        to=output,
    )
    return path


def _exportable(run: SavedRun, asked: str | None) -> str:
    """The model to export."""
    able = [name for name, kind in MODELS.items() if kind.exportable]
    for name in run.models:
        if name in able and asked in {None, name}:
            return name
    what = f"model {asked}" if asked else "model"
    raise ConfigError(
        f"{run.folder.path} has no {what} that can be exported: it has {', '.join(run.models)}; "
        f"those that can be are {', '.join(able)}. Name one below models and run fit"
    )


def _folds(run: SavedRun, fold: int | Literal["all"]) -> list[int]:
    for name in (INPUT, SAMPLES):
        if name in run.targets:
            raise ConfigError(f"a target is called {name!r}, as the model's input is; rename it")
    folds = list(range(run.folder.info["folds"]))
    if fold != "all" and fold not in folds:
        raise ConfigError(f"--fold {fold}: the run has folds 0 to {folds[-1]}; or say all")
    return folds if fold == "all" else [fold]


def _about(run: SavedRun, model: str, folds: Sequence[int]) -> dict[str, str]:
    """The file's metadata; lists and mappings are JSON."""
    info, path = run.folder.info, run.folder.path
    corpus = info["corpus"].get("name", "unknown")
    best = run.folder.best()
    heard = front_of(run, model)
    return {
        "speechnet": __version__,
        "run": f"{run.config.experiment}/{path.resolve().name}",
        "run_sha256": hashlib.sha256(read_regular(path / SUMS)).hexdigest(),
        "folds": json.dumps(list(folds)),
        "classes": json.dumps(run.targets, ensure_ascii=False),
        "recipe": json.dumps(_recipe(run, heard), ensure_ascii=False),
        **({} if heard is None else {SAMPLES: wanted(run)}),
        "protocol": info["protocol"],
        "best_model": "unknown" if best is None else f"{best.model}, {best.reason}",
        "licence": f"Made by speechnet, whose code is under the MIT licence. The weights were "
        f"learnt from the corpus {corpus}: its terms may bind what they are used for.",
    }


def _centred(run: SavedRun) -> bool:
    """Whether a graph of samples subtracts their mean; before trimming, it can't."""
    audio = run.config.data.audio
    return audio.remove_dc and audio.trim_db is None


def _recipe(run: SavedRun, heard: LogMel | None) -> dict[str, Any]:
    """How a row of the input is made: the arguments of speechnet's configuration classes.

    Of samples, what the graph makes of them: ``heard`` is a part of it.

    Scaling is part of the model. Presets are spelt out, since a later version may change them.
    """
    data, then = run.config.data, run.folder.info["features"]
    recipe = data.recipe
    names = [name for name, one in recipe.extractors.items() if one is heard] or recipe.vectors
    features = {name: asdict(recipe.extractors[name]) for name in names}  # type: ignore[call-overload]
    functionals = recipe.extractors.get("functionals")
    if isinstance(functionals, Functionals) and "functionals" in features:
        features["functionals"] |= {"preset": None, "include": functionals.groups()}
        features["functionals"] |= {"n_mfcc": functionals.mfcc_count()}
    return {
        "audio": asdict(recipe.audio),
        "denoise": asdict(recipe.denoise),
        "features": features,
        "columns": [c for name in names for c in recipe.extractors[name].columns],
        "per_speaker": f"{_BY_SPEAKER}: (x - mean) / sd" if data.per_speaker else None,
        "recipes": {name: then[name]["recipe"] for name in names},
    }


def _inputs(models: Sequence[Fitted]) -> Float32:
    """Random rows with each network's training mean and spread, half of them twice as far apart.

    The run folder has no features to test with. On another scale the logits would be so large that
    float32 is coarser than the tolerance.
    """
    members = [member for one in models for member in networks(one)]
    size = max(_BATCHES) // len(members) + 1, len(members[0].centre)
    random = np.random.default_rng(0)
    rows = []
    for member in members:
        drawn = random.standard_normal(size, dtype=np.float32)
        drawn[1::2] *= 2
        rows.append(member.centre.numpy() + member.scale.numpy() * drawn)
    return random.permutation(np.concatenate(rows))


_Case = tuple[str, dict[str, Float32], dict[str, Float64], float]
"""What a test is called, the graph's input, what torch gives by target, the allowed difference."""


def _vectors(models: Sequence[Fitted], targets: Targets) -> Iterator[_Case]:
    """Batches of rows, and the models' mean."""
    X = _inputs(models)
    every = [one.predict_proba(X) for one in models]
    for size in _BATCHES:
        means = {t: np.mean([one[t][:size] for one in every], axis=0) for t in targets}
        yield f"in a batch of {size}", {INPUT: X[:size]}, means, TOLERANCE


def _sounds(
    models: Sequence[Fitted], heard: LogMel, targets: Targets, *, centred: bool
) -> Iterator[_Case]:
    """Sounds of several lengths, and the models' mean."""
    for sound in sounds():
        means = of_torch(models, heard, sound, targets, centred=centred)
        yield f"of {len(sound):,} samples", {SAMPLES: sound}, means, TOLERANCE_OF_SOUNDS


def _largest_difference(content: bytes, cases: Iterable[_Case]) -> float:
    """The largest difference between onnxruntime's probabilities and those expected.

    Raises:
        SpeechnetError: it exceeds what is allowed.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    worst = 0.0
    for name, given, expected, allowed in cases:
        found = session.run(list(expected), given)
        for target, values in zip(expected, found, strict=True):
            off = float(np.abs(values - expected[target]).max())
            if not off <= allowed:  # true of NaN
                raise SpeechnetError(
                    f"the ONNX model's probabilities of {target} are off by {off:.2g} from torch's "
                    f"{name}, {allowed:.0e} is allowed; nothing was written"
                )
            worst = max(worst, off)
    return worst
