"""Damaged recordings, settings, tables and run folders: an answer or a sentence, no traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.faults import encoded, speech
from helpers.mutations import Rng, damaged, replaced, rewritten, times

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.cli.main import main
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError, Excluded, SpeechnetError
from speechnet.core.reading import PlainError, parse_json, parse_yaml
from speechnet.core.types import FeatureSet
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.reader import load_corpus
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.report import report_data, write_report
from speechnet.experiment.saved_run import SavedRun

pytestmark = pytest.mark.reliability

KINDS = (
    "WAV",
    "WAV/FLOAT",
    "WAV/MS_ADPCM",
    "FLAC",
    "OGG",
    "OGG/OPUS",
    "MP3",
    "AIFF",
    "AU",
    "RF64",
    "CAF",
    "W64",
)


@pytest.mark.parametrize("kind", KINDS)
def test_recordings(kind: str, rng: Rng, tmp_path: Path) -> None:
    """Each decodes to finite samples or is excluded with a reason."""
    rate = 8_000
    config = AudioConfig(sample_rate=rate, max_samples=2**20)
    whole = encoded(speech(1, 0.6, rate), kind, rate=rate)
    path = tmp_path / f"x.{kind.partition('/')[0].lower()}"
    path.write_bytes(whole)
    assert np.isfinite(load(path, config).y).all()
    for _ in range(times(60)):
        path.write_bytes(damaged(whole, rng))
        try:
            y = load(path, config).y
        except Excluded:
            continue
        assert np.isfinite(y).all()
        assert y.dtype == np.float32


def test_yaml_and_json(rng: Rng) -> None:
    """Any text gives plain values or a sentence."""
    text = Path("configs/quickstart.yaml").read_text()
    for _ in range(times(300)):
        for parse, given in (
            (parse_yaml, rewritten(text, rng)),
            (parse_yaml, damaged(text.encode(), rng).decode(errors="replace")),
            (parse_json, damaged(b'{"a": [1, 2.5, "x", {"b": null}]}' * 2, rng)),
        ):
            try:
                parse(given)
            except PlainError:
                continue


def test_configurations(tiny_config: Path, rng: Rng, tmp_path: Path) -> None:
    """An experiment, or an error in one line that names the place."""
    text = tiny_config.read_text()
    path = tmp_path / "x.yaml"
    for _ in range(times(60)):
        path.write_text(rewritten(text, rng), errors="replace")
        try:
            read_experiment(["--config", str(path)])
        except ConfigError:
            continue


def test_tables(rng: Rng, tmp_path: Path) -> None:
    """A corpus, or what is wrong with its table."""
    for number in range(6):
        (tmp_path / f"{number}.wav").touch()
    rows = [f"{n}.wav,s{n % 3},{'angry' if n % 2 else 'sad'},{n},{n + 1.5}" for n in range(6)]
    text = "\n".join(["file,speaker,emotion,start,end", *rows])
    sound = {path.name for path in tmp_path.iterdir()}
    table = tmp_path / "labels.csv"
    config = CorpusConfig(name="csv", root=str(tmp_path))
    for _ in range(times(150)):
        found = rewritten(text, rng).encode(errors="replace")
        table.write_bytes(damaged(found, rng) if rng.random() < 0.3 else found)
        try:
            corpus = load_corpus(config, {"emotion": None}, complete=False)
        except (ConfigError, DataError):
            continue
        assert {file.partition("#")[0] for file in corpus.table.index} <= sound


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_what_a_run_says_of_itself(run: Path, rng: Rng) -> None:
    """run.json with another value somewhere, and sums that fit: used, or refused in a sentence."""
    info = json.loads((run / "run.json").read_text())
    for _ in range(times(40)):
        (run / "run.json").write_text(json.dumps(replaced(info, rng)))
        write_sums(run)
        try:
            saved = SavedRun(run)
            saved.predict_proba(saved.models[0], FeatureSet.vectors(np.zeros((1, 25), np.float32)))
            write_report(saved.folder, report_data(saved.folder))
        except SpeechnetError:
            continue


@pytest.mark.parametrize("name", ["scores.csv", "corpus.csv", "mistakes.csv", "config.yaml"])
def test_what_a_run_holds(
    run: Path, name: str, rng: Rng, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table or the settings rewritten, with sums that fit: a sentence, or an answer."""
    text = (run / name).read_text()
    none = str(run / "none.wav")
    for _ in range(times(10)):
        (run / name).write_text(rewritten(text, rng), errors="replace")
        write_sums(run)
        assert main(["predict", "--run", str(run), "--model", "best", none]) in {2, 3}
        assert main(["compare", "--run", str(run), "--run", str(run)]) in {2, 3}
        assert capsys.readouterr().err.count("error: ") >= 1
