"""What is said of recordings that are unlike the training data, by every way to apply a run."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import speechnet
from speechnet.config.data import DataConfig, FeaturesConfig
from speechnet.core.errors import ConfigError, DataError
from speechnet.experiment.manifest import write_sums
from speechnet.experiment.novelty import MEASURED, bandwidths, unlike_in_words
from speechnet.experiment.rescore import rescore
from speechnet.features.speaker_encoder import SpeakerEncoder
from speechnet.inference.predict import recognise
from speechnet.inference.prediction import Prediction
from speechnet.inference.predictor import Predictor
from speechnet.inference.windows import summarise
from speechnet.models.novelty import NAME

pytestmark = pytest.mark.slow

RATE = 8_000
NOISE = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)


@pytest.fixture(scope="module")
def recogniser(tiny_run: Path) -> Predictor:
    return speechnet.load(tiny_run, model="svm")


@pytest.fixture(scope="module")
def recording(tiny_run: Path) -> Path:
    """One that the run was made of."""
    config = speechnet.load(tiny_run).run.config.data
    return sorted((config.cache / "synthetic").rglob("*.wav"))[0]


def test_noise_is_unlike_speech_is_not(recogniser: Predictor, recording: Path) -> None:
    """Noise has a label unless that is not wanted; its probabilities stay."""
    y, rate = soundfile.read(recording)
    assert not recogniser.predict(y, rate, unlike="abstain").unlike
    kept = recogniser.predict(NOISE, RATE)
    silent = recogniser.predict(NOISE, RATE, unlike="abstain")
    assert kept.unlike
    assert "sd" in kept.far
    assert kept.bandwidth == RATE / 2
    assert None not in kept.labels.values()
    assert set(silent.labels.values()) == {None}
    assert silent.probabilities == kept.probabilities
    assert (kept.reason, silent.reason) == ("", "unlike")
    with pytest.raises(ConfigError, match="unlike is 'drop', expected keep or abstain"):
        recogniser.predict(NOISE, RATE, unlike="drop")  # type: ignore[arg-type]


def test_each_window_is_told_by_itself(recogniser: Predictor, recording: Path) -> None:
    """Noise between speech is unlike; as a whole so is what is mostly noise."""
    speech = np.resize(soundfile.read(recording)[0], 2 * RATE)
    y = np.concatenate([speech, NOISE, NOISE, speech])
    table = recogniser.timeline(y, RATE, window=2, hop=2, unlike="abstain")
    assert table["unlike"].tolist() == ["no", *["yes"] * 4, "no"]
    assert (table["emotion"] == "").tolist() == (table["unlike"] == "yes").tolist()
    assert ((table["far"] != "") == (table["unlike"] == "yes")).all()
    assert summarise(table, recogniser.targets)["svm"].unlike
    assert summarise(table, recogniser.targets, unlike="abstain")["svm"].reason == "unlike"


def test_predict_tells_and_sums_up(
    tiny_run: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the row, in one sentence at the end, and by abstaining."""
    soundfile.write(tmp_path / "noise.wav", NOISE, RATE)
    given = [recording, tmp_path / "noise.wav"]
    recognise(tiny_run, given, model="svm", out=None, unlike="abstain")
    out, err = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out), keep_default_na=False)
    assert table["unlike"].tolist() == ["no", "yes"]
    assert table["reason"].tolist() == ["", "unlike"]
    assert (table["emotion"] == "").tolist() == [False, True]
    assert "1 of 2 recordings is unlike the training data" in " ".join(err.split())


def test_test_tells_of_another_corpus(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every recording has its row; a warning says how many are unlike."""
    for seed, emotion in enumerate(("angry", "happy", "sad", "neutral")):
        (tmp_path / "other" / emotion).mkdir(parents=True)
        noise = np.random.default_rng(seed).uniform(-0.2, 0.2, RATE)
        soundfile.write(tmp_path / "other" / emotion / "x.wav", noise, RATE)
    corpus = {"name": "folders", "root": str(tmp_path / "other")}
    tables = rescore(tiny_run, corpus=corpus, out=tmp_path / "out")
    new = pd.read_csv(tables / "novelty.csv")
    assert len(new) == 4
    assert (new["novelty"] > 1).all()
    assert "4 of 4 recordings are unlike the training data" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_run_that_lost_it_is_damaged(tiny_run: Path, tmp_path: Path) -> None:
    """The file is named."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "lost"))
    (run / "fold_0" / NAME).unlink()
    write_sums(run)
    with pytest.raises(DataError, match=rf"{NAME} can't be read"):
        speechnet.load(run, model="svm").predict(NOISE, RATE)


def test_without_vectors_it_can_t_abstain(
    recogniser: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be told isn't promised."""
    monkeypatch.setattr(type(recogniser.run), "columns", ())
    with pytest.raises(ConfigError, match="has no vectors, so it can't tell"):
        recogniser.predict(NOISE, RATE, unlike="abstain")


def test_the_remedy_is_named_where_the_band_is_another() -> None:
    """By the medians, within what the features look at; else what lies far is named."""
    config = DataConfig()
    trained = bandwidths(pd.DataFrame({"bandwidth": [20_000.0, 24_000.0, 22_000.0, np.nan]}))
    assert trained["p50"] == 22_000

    def said(rows: list[tuple[float, str, float]]) -> str:
        return unlike_in_words(pd.DataFrame(rows, columns=MEASURED), config, trained) or ""

    far = "contrast_05_mean +19 sd, f0_p90 -4 sd"
    narrow = said([(0.5, "", 24_000.0), (2.0, far, 3_900.0), (3.0, far, 4_000.0)])
    assert narrow.startswith("2 of 3 recordings are unlike")
    assert "ends at 3.95 kHz, that of the training data at 22 kHz" in narrow
    assert narrow.endswith("train with data.audio.sample_rate 8000")
    one_of_two = said([(0.5, "", 24_000.0), (2.0, far, 3_900.0)])
    assert "is unlike the training data: its labels" in one_of_two
    assert "Its band ends at 3.9 kHz" in one_of_two
    # Of 8 kHz and of 22 kHz the functionals see the same 7.
    assert said([(2.0, far, 8_000.0), (0.5, "", 8_000.0)]).endswith(far)
    assert said([(2.0, far, 8_000.0), (3.0, far, 8_000.0)]).endswith("contrast (2), f0 (2)")
    assert said([(2.0, far, 8_000.0)]).endswith(far)
    assert said([(1.0, "", 4_000.0)]) == ""


def test_a_band_explains_only_the_recordings_that_have_it() -> None:
    """They are counted; no remedy while many others are unlike for another reason."""
    narrow = [(3.0, "contrast_05_mean +19 sd", 3_000.0 + each) for each in range(4)]
    noise = (9.0, "flatness_mean +397 sd", 8_000.0)

    def said(rows: list[tuple[float, str, float]], *, labelled: bool = True) -> str:
        new = pd.DataFrame(rows, columns=MEASURED)
        return unlike_in_words(new, DataConfig(), {"p50": 8_000.0}, labelled=labelled) or ""

    mixed = said([*narrow, noise, noise, noise])
    assert "7 of 7 recordings" in mixed
    assert "band of 4 of them ends at 3 kHz" in mixed
    assert "sample_rate" not in mixed
    assert mixed.endswith("in the others: flatness (3)")
    most = said([*narrow, noise])
    assert "band of 4 of them" in most
    assert "train with data.audio.sample_rate 8000" in most
    assert most.endswith("flatness (1)")
    assert "band" not in said([noise])
    assert "their labels are left out" in said([*narrow, noise], labelled=False)


def test_what_lies_far_is_counted_by_the_extractors_groups() -> None:
    """Units of a layer of the speaker encoder go together."""
    features = FeaturesConfig(functionals=None, speaker_encoder=SpeakerEncoder())
    config = DataConfig(features=features)
    far = [f"speaker_encoder_2_{column} +9 sd" for column in ("std_003", "last_002")]
    new = pd.DataFrame([(2.0, one, np.nan) for one in far], columns=MEASURED)
    assert (unlike_in_words(new, config, {}) or "").endswith(": speaker_encoder_2 (2)")


@pytest.fixture(scope="module")
def trained_on_actors(ravdess: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """An SVM of eight actors, none of whom the cases have."""
    from speechnet.config.experiment import read_experiment
    from speechnet.experiment.fit import fit

    folder = tmp_path_factory.mktemp("actors")
    for actor in ("01", "02", "03", "04", "13", "14", "19", "20"):
        (folder / "corpus" / actor).mkdir(parents=True)
        for path in (ravdess / f"Actor_{actor}").glob("03-01-0[1345]-??-??-01-??.flac"):
            shutil.copy(path, folder / "corpus" / actor)
    text = TRAINED.format(folder=folder)
    (folder / "x.yaml").write_text(text)
    return speechnet.load(fit(*read_experiment(["--config", str(folder / "x.yaml")])))


TRAINED = """\
out: {folder}/runs
data:
  cache_dir: {folder}/cache
  corpus: {{name: ravdess, root: {folder}/corpus}}
  targets: {{emotion: [angry, happy, sad, neutral]}}
  audio: {{trim_db: 30}}
  denoise: {{method: none}}
  split: {{protocol: kfold, folds: 2, dev: 0.0}}
models: {{svm: {{C: [1.0], folds: 2}}}}
evaluation: {{resamples: 200, figures: false, clustering: {{enabled: false}}}}
report: {{html: false, mistakes: 0}}
"""


def test_telephone_and_noise_are_unlike_a_studio(
    trained_on_actors: Predictor, case: Callable[[str], Path]
) -> None:
    """Unseen actors are not, nor are their 16 kHz copies, which have the same labels."""
    studio, wide, phone = (
        _recognised(trained_on_actors, case("phone8k") / kind)
        for kind in ("studio", "wide16k", "phone")
    )
    assert np.mean([one.unlike for one in studio]) <= 0.05
    assert np.mean([one.unlike for one in wide]) <= 0.05
    assert [one.labels for one in wide] == [one.labels for one in studio]
    assert np.mean([one.unlike for one in phone]) >= 0.9
    assert all(one.bandwidth == 4_000 for one in phone)
    noise = case("noise")
    for name in ("white", "tone", "hum"):
        assert _recognised(trained_on_actors, noise, f"{name}.wav")[0].unlike


def _recognised(
    recogniser: Predictor, folder: Path, names: str = "*-01-01-*.wav"
) -> list[Prediction]:
    paths = sorted(folder.glob(names))
    assert paths
    return [recogniser.predict(*soundfile.read(path)) for path in paths]
