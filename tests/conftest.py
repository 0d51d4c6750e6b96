"""Fixtures shared by all tests."""

import signal
import threading
from pathlib import Path

import pytest

import speechnet.compiled  # noqa: F401 - loads librosa safely, before tests in several processes do

if threading.current_thread() is threading.main_thread():
    # A shell that starts the tests in the background has Ctrl-C ignored, in all their children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

RAVDESS = Path(__file__).parents[2] / "shared" / "data" / "ravdess"


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The root of real speech, where it is at hand."""
    if not RAVDESS.is_dir():
        pytest.skip(f"no RAVDESS at {RAVDESS}")
    return RAVDESS


TINY = """\
experiment: tiny
data:
  synthetic: {speakers: 12, sentences: 1, sample_rate: 8000}
  targets: {gender: [female, male], emotion: [angry, happy, sad, neutral]}
  audio: {sample_rate: 8000}
  denoise: {method: none}
  features:
    preset: null
    include: {mfcc: [mean, std], zero_crossing_rate: [mean]}
    n_mfcc: 12
    n_mels: 40
    n_fft: 512
    hop_length: 256
  split: {protocol: kfold, folds: 2, dev: 0.34}
model: {hidden: [16], batch_size: 8, patience: 3}
trainer: {max_epochs: 4, accelerator: cpu}
baselines:
  knn: {n_neighbors: [1, 3], metric: [euclidean], folds: 2}
  svm: {C: [1.0], folds: 2}
  logreg: {C: [1.0], folds: 2}
evaluation: {resamples: 500, figures: false, clustering: {k: [2], pca: 3}}
report: {mistakes: 2}
parallel: {backend: threading, n_jobs: 1}
"""


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of an experiment that takes two seconds, with its own cache."""
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "tiny.yaml"
    path.write_text(TINY.replace("data:\n", f"data:\n  cache_dir: {folder / 'cache'}\n"))
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_config: Path) -> Path:
    """A finished run of it. Shared: copy it before changing anything in it."""
    from speechnet.config.experiment import read_experiment
    from speechnet.runs.experiment import fit

    out = tiny_config.parent / "runs"
    return fit(*read_experiment(["--config", str(tiny_config), "--out", str(out)]))
