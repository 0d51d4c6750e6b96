"""Nothing leaks: what is fitted doesn't know the test rows, and random labels stay random.

Features tell speakers apart and say nothing about the labels, which are drawn at random. Whatever
a model scores above chance on unseen rows, it can only have from a leak; planted ones are found.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import tables
from sklearn.base import BaseEstimator
from sklearn.metrics import balanced_accuracy_score
from threadpoolctl import threadpool_limits

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.types import FeatureMatrix, FeatureSet, Int64, Stack
from speechnet.data.augmented import Copies, TrainingSource
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.chance import chance_interval
from speechnet.experiment import fold
from speechnet.experiment.fit import parallel
from speechnet.experiment.fold import FoldTraining, context_of
from speechnet.models.classical.knn import KNN
from speechnet.models.model import Fitted, Rows
from speechnet.models.out_of_fold import predict_held_out
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

WIDTH = 12
"""Features."""

EMOTIONS = ["angry", "happy", "sad"]

MODELS = ["mlp", "knn", "logreg", "sklearn_mlp", "svm"]

SETTINGS = {
    "trainer.accelerator": "cpu",
    "trainer.max_epochs": "4",
    "models.mlp.hidden": "[8]",
    "models.mlp.batch_size": "16",
    "models.mlp.lr": "0.01",
    "models.mlp.grid": "{dropout: [0.0, 0.5]}",
    "models.mlp.folds": "2",
    "models.knn": "{n_neighbors: [1, 5], metric: [euclidean], folds: 2}",
    "models.svm": "{C: [1.0, 10.0], folds: 2}",
    "models.logreg": "{C: [0.1, 1.0], folds: 2}",
    "models.sklearn_mlp": "{hidden: [4, 8], max_iter: [10], folds: 2}",
    "parallel.n_jobs": "1",
}

LONGER = {
    "trainer.max_epochs": "30",
    "models.mlp.hidden": "[32]",
    "models.sklearn_mlp": "{hidden: [8], solver: [lbfgs], max_iter: [200], folds: 2}",
}
"""With which networks learn all that there is to learn."""

PROTOCOLS = {
    "speaker": SplitConfig(protocol="speaker", test=0.34, dev=0.34),
    "kfold": SplitConfig(protocol="kfold", folds=2, dev=0.34),
    "loso": SplitConfig(protocol="loso", dev=0.34),
    "predefined": SplitConfig(
        protocol="predefined", speakers=[["s00", "s01"], ["s04", "s05"]], dev=0.34
    ),
    "random": SplitConfig(protocol="random", folds=2, dev=0.25),
}

SEEDS = range(20)


class Results(NamedTuple):
    """What one model made of test rows: truth, prediction and speaker, int64 ``[n]`` each."""

    truth: Int64
    predicted: Int64
    speaker: Int64

    @property
    def uar(self) -> float:
        return float(balanced_accuracy_score(self.truth, self.predicted))


def configuration(**more: str) -> ExperimentConfig:
    """Every model, a search of two candidates for each."""
    chosen = SETTINGS | more
    words = [word for key, text in chosen.items() for word in (f"--{key}", text)]
    return read_experiment(words)[0]


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    """Trained as long as it takes to see whether anything is learnt that mustn't be."""
    return configuration()


@pytest.fixture(scope="module")
def shorter() -> ExperimentConfig:
    """Without the network's search, which takes as long as most of the rest."""
    return configuration(**{"models.mlp.grid": "{}"})


@pytest.fixture(scope="module")
def longer() -> ExperimentConfig:
    """Trained until what is there is learnt."""
    return configuration(**LONGER)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tables this small are slower on several threads."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def one_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables of ``speech_data`` have one target here: half the models, half the time."""
    monkeypatch.setattr(tables, "TARGETS", {"emotion": EMOTIONS})


def corpus(
    split: SplitConfig,
    *,
    seed: int,
    speakers: int = 6,
    each: int = 24,
    copies: int = 1,
    by_speaker: bool = False,
) -> SpeechDataModule:
    """Loud speakers and random labels, drawn for each recording or for each speaker.

    Every recording stands ``copies`` times in it, under the same label.
    """
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(speakers), each)
    label = rng.integers(0, 3, speakers)[who] if by_speaker else rng.integers(0, 3, len(who))
    table = pd.DataFrame(
        {
            "speaker": [f"s{number:02d}" for number in np.repeat(who, copies)],
            "emotion": np.array(EMOTIONS, dtype=object)[np.repeat(label, copies)],
        },
        index=pd.Index([f"{row:04d}.wav" for row in range(len(who) * copies)], name="file"),
    ).astype(object)
    X = tables.features(who[:, None], WIDTH, signal=2.0, seed=seed)
    return tables.speech_data(table, X=np.repeat(X, copies, axis=0), split=split)


def train(
    config: ExperimentConfig, data: SpeechDataModule, folder: Path, *, number: int = 0
) -> tuple[FoldTraining, dict[str, Fitted]]:
    """Search and fit all models of one fold, as a run does."""
    folder.mkdir()
    training = FoldTraining(config, data, number=number, folder=folder)
    with parallel(config.parallel):
        return training, dict(training.models())


def trials(
    config: ExperimentConfig, split: SplitConfig, folder: Path, seeds: range, **settings: Any
) -> dict[str, list[Results]]:
    """Each model's results with every seed, on one fold; with the next seed on the next fold."""
    found: dict[str, list[Results]] = {name: [] for name in MODELS}
    for seed in seeds:
        data = corpus(split, seed=seed, **settings)
        number = seed % len(data.folds)
        test = data.folds[number].test
        speaker = pd.factorize(data.table["speaker"])[0][test] + 1000 * seed
        _, models = train(config, data, folder / str(seed), number=number)
        for name, model in models.items():
            predicted = model.predict_proba(data.X[test])["emotion"].argmax(axis=1)
            found[name].append(Results(data.labels[test, 0], predicted, speaker))
    return found


def pooled(results: list[Results]) -> Results:
    """All rows of all seeds."""
    return Results(*(np.concatenate(column) for column in zip(*results, strict=True)))


def bounds(results: Results, *, tests: int, by_speaker: bool = False) -> tuple[float, float]:
    """The chance interval of which one of so many tests would leave its own in 5 % of all cases."""
    units = results.speaker if by_speaker else None
    return chance_interval(results.truth, units, 3, seed=0, level=1 - 0.05 / tests)


class TestRandomLabels:
    """The levels allow for the number of comparisons, so that a leak fails them and luck doesn't.

    The results of all seeds together lie so near to chance that a gain of four points is a leak.
    """

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_every_model_stays_at_chance(
        self, shorter: ExperimentConfig, protocol: str, tmp_path: Path
    ) -> None:
        """Each seed by itself, and all seeds together.

        Where speakers are kept apart every recording is there twice: both are on one side, and
        predicted alike, so that they count once.
        """
        copies = 1 if protocol == "random" else 2
        found = trials(shorter, PROTOCOLS[protocol], tmp_path, SEEDS, copies=copies)
        once = {
            name: [Results(*(column[::copies] for column in one)) for one in found[name]]
            for name in MODELS
        }
        comparisons = len(MODELS) * len(PROTOCOLS)
        for seed in SEEDS:
            low, high = bounds(once["mlp"][seed], tests=comparisons * len(SEEDS))
            for name in MODELS:
                assert low <= once[name][seed].uar <= high, f"{name}, seed {seed}"
        low, high = bounds(pooled(once["mlp"]), tests=comparisons)
        assert high - low < 0.16
        for name in MODELS:
            assert low <= pooled(once[name]).uar <= high, name

    def test_a_recording_on_both_sides_is_found(
        self, config: ExperimentConfig, tmp_path: Path
    ) -> None:
        """A random split of recordings that are there twice: the nearest neighbour is the twin."""
        found = trials(config, PROTOCOLS["random"], tmp_path, range(2), copies=2)
        results = pooled(found["knn"])
        assert results.uar > bounds(results, tests=1000)[1] + 0.1

    @pytest.mark.parametrize("everywhere", [False, True])
    def test_giveaway(self, longer: ExperimentConfig, everywhere: bool, tmp_path: Path) -> None:
        """Features that are the label raise no score if they are so in test rows only.

        In all rows they are found by every model. In test rows they stand at another scale, and
        whichever way a model takes them, it takes all rows of a class alike: a single coding of
        the classes may be lucky. Over all codings that evens out exactly.
        """
        plain = corpus(PROTOCOLS["speaker"], seed=0)
        test, noise = plain.folds[0].test, np.random.default_rng(0).normal(size=plain.X.shape)
        truth = plain.labels[test, 0]
        code = np.broadcast_to(3 * plain.labels - 3, noise.shape) if everywhere else noise
        data = again(plain, np.column_stack([plain.X, code]), plain.labels)
        _, models = train(longer, data, tmp_path / "fold")
        codings = [(0, 1, 2)] if everywhere else [*permutations(range(3))]
        shape = (len(test), plain.X.shape[1])
        for name, model in models.items():
            scores = []
            for coding in codings:
                giveaway = np.broadcast_to(3 * np.array(coding)[truth, None] - 3, shape)
                X = np.column_stack([plain.X[test], giveaway]).astype(np.float32)
                predicted = model.predict_proba(X)["emotion"].argmax(axis=1)
                scores.append(Results(truth, predicted, truth).uar)
            low, high = chance_interval(truth, None, 3, seed=0, level=1 - 0.05 / len(MODELS))
            if everywhere:
                assert scores[0] > high + 0.1, name
            else:
                assert low <= np.mean(scores) <= high, name


def again(data: SpeechDataModule, X: np.ndarray, labels: Int64) -> SpeechDataModule:
    """The same rows and folds with other features and labels."""
    other = tables.speech_data(data.table, X=X.astype(np.float32), split=data.config.split)
    other.labels = labels
    for one, two in zip(data.folds, other.folds, strict=True):
        assert all(np.array_equal(one.parts()[part], rows) for part, rows in two.parts().items())
    return other


class TestSpeakerLinkedLabels:
    """Each speaker has one emotion only: who is recognised, is known."""

    @pytest.mark.parametrize("protocol", ["speaker", "kfold"])
    def test_unseen_speakers_give_nothing_away(
        self, longer: ExperimentConfig, protocol: str, tmp_path: Path
    ) -> None:
        """Speakers, not recordings, are what is guessed; all models stay at chance."""
        linked = {"speakers": 36, "each": 4, "by_speaker": True}
        found = trials(longer, PROTOCOLS[protocol], tmp_path, range(3), **linked)
        for name in MODELS:
            results = pooled(found[name])
            low, high = bounds(results, tests=2 * len(MODELS), by_speaker=True)
            assert low <= results.uar <= high, name

    def test_a_random_split_gives_them_away(self, longer: ExperimentConfig, tmp_path: Path) -> None:
        """To every model, and by far."""
        linked = {"speakers": 18, "each": 10, "by_speaker": True}
        found = trials(longer, PROTOCOLS["random"], tmp_path, range(2), **linked)
        for name in MODELS:
            results = pooled(found[name])
            assert results.uar > bounds(results, tests=100, by_speaker=True)[1], name


def numbers(part: Any) -> dict[str, str]:
    """A hash of whatever a model holds, by where it is held; files' places don't count."""
    found: dict[str, str] = {}

    def walk(name: str, part: Any) -> None:
        if isinstance(part, torch.nn.Module):
            for key, tensor in part.state_dict().items():
                found[f"{name}.{key}"] = joblib.hash(tensor.numpy())
        elif isinstance(part, BaseEstimator):
            # A tree counts the rows that were looked up in it.
            walk(name, {key: value for key, value in vars(part).items() if key != "_tree"})
        elif isinstance(part, dict | list | tuple):
            for key, value in part.items() if isinstance(part, dict) else enumerate(part):
                walk(f"{name}.{key}", value)
        elif type(part).__module__.startswith("speechnet."):
            walk(name, vars(part))
        elif not isinstance(part, Path):
            found[name] = joblib.hash(part)

    walk("", part)
    return found


def fitted(training: FoldTraining, models: dict[str, Fitted]) -> dict[str, str]:
    """Hashes of all that one fold has fitted, chosen or recorded."""
    tables = {
        "search": pd.concat(training.searched).to_csv(),
        "epochs": pd.concat(training.history).to_csv(),
        "temperatures": training.temperatures,
    }
    return numbers(models | tables)


class TestLayers:
    def test_weights_and_choices_come_from_training_rows(self, tmp_path: Path) -> None:
        """A layer that gives away the labels of test rows alone changes nothing, bit for bit.

        One that tells the classes apart in all rows is weighed most, and chosen by every search.
        """
        config = configuration(
            **LONGER
            | {
                "models.mlp.grid": "{}",
                "models.knn": "{n_neighbors: [5], metric: [euclidean], folds: 2}",
                "models.svm": "{C: [1.0], folds: 2}",
                "models.logreg": "{C: [0.1], folds: 2}",
            }
        )
        # Refused in a configuration whose features hold no layers; here the data gets some.
        layers = {"knn": ["all"], "svm": ["all", "mean"], "logreg": ["mean", "all"]}
        for name, tried in layers.items():
            config.models[name].layer = tried
        telling, giveaway = 1, 2
        rows = corpus(PROTOCOLS["speaker"], seed=0)
        test, noise = rows.folds[0].test, np.random.default_rng(0).normal(size=(144, 3, WIDTH))
        noise[:, telling] += 2 * np.eye(3, WIDTH)[rows.labels[:, 0]]
        found = []
        for given in (False, True):
            X = noise.copy()
            if given:
                X[test, giveaway] = 100 * np.eye(3, WIDTH)[rows.labels[test, 0]]
            data = again(rows, X.reshape(144, -1), rows.labels)
            matrix = replace(data.feature_set.matrix, stacks=(Stack(0, 3, WIDTH),))
            data.extraction = replace(data.extraction, features=FeatureSet({"encoder": matrix}))
            del data.feature_set
            found.append(train(config, data, tmp_path / str(given)))
        assert fitted(*found[0]) == fitted(*found[1])
        weights = pd.DataFrame(found[1][0].layers).pivot_table("weight", "model", "layer")
        assert (weights.idxmax(axis=1).drop("sklearn_mlp") == telling).all()
        assert (weights.loc[["knn", "svm", "logreg"], telling] == 1).all()
        assert weights.loc["mlp", telling] > 0.5
        assert weights.loc["mlp", giveaway] < 0.3


class TestFitted:
    @pytest.mark.parametrize("protocol", ["speaker", "random"])
    def test_test_rows_change_nothing(
        self, config: ExperimentConfig, protocol: str, tmp_path: Path
    ) -> None:
        """Giveaways, outliers and other labels there: every number is the same, bit for bit.

        Scalers, chosen candidates, weights, class weights, the epoch kept, temperatures. One other
        training row changes every model.
        """
        data = corpus(PROTOCOLS[protocol], seed=0)
        test, one = data.folds[0].test, data.folds[0].train[:1]
        plain = fitted(*train(config, data, tmp_path / "plain"))
        assert {name.split(".")[1] for name in plain} == {
            *MODELS,
            *("search", "epochs", "temperatures"),
        }
        X, labels = data.X.copy(), data.labels.copy()
        X[test, 0], X[test, 1], X[test, 2:] = labels[test, 0], 1e6, -X[test, 2:] / 1000
        labels[test] = (labels[test] + 1) % 3
        assert fitted(*train(config, again(data, X, labels), tmp_path / "other")) == plain
        X = data.X.copy()
        X[one] += 5
        changed = fitted(*train(config, again(data, X, data.labels), tmp_path / "changed"))
        differ = {name.split(".")[1] for name in plain if changed.get(name) != plain[name]}
        assert {*MODELS, "epochs"} <= differ

    def test_dev_rows_stop_and_calibrate_and_nothing_else(self, tmp_path: Path) -> None:
        """Their scale and labels leave scalers, class weights, searches and training as they are.

        They choose which of the network's epochs is kept, by way of that its candidate, and the
        temperatures.
        """
        config = configuration(**{"models.mlp.grid": "{}", "models.mlp.patience": "null"})
        data = corpus(PROTOCOLS["speaker"], seed=0)
        dev = data.folds[0].dev
        X, labels = data.X.copy(), data.labels.copy()
        X[dev] = 1.5 * X[dev] + 7
        labels[dev] = (labels[dev] + np.arange(len(dev))[:, None]) % 3
        plain, _ = one = train(config, data, tmp_path / "plain")
        other, _ = two = train(config, again(data, X, labels), tmp_path / "other")
        first, second = fitted(*one), fitted(*two)
        differ = {name for name in first if first[name] != second[name]}
        weights = {name for name in differ if name.startswith(".mlp.")}
        assert not [name for name in weights if name.endswith((".centre", ".scale", "weights_0"))]
        rest = {name for name in differ - weights if ".temperatures." not in name}
        assert rest == {".epochs"}
        losses = [pd.concat(run.history)["train_loss"].tolist() for run in (plain, other)]
        assert losses[0] == losses[1]
        assert plain.temperatures != other.temperatures


def with_copies(data: SpeechDataModule, *, spread: float = 0.05) -> SpeechDataModule:
    """Two copies of every recording, test and dev ones too, hardly changed: who asks, gets them."""
    rng = np.random.default_rng(1)
    origin = np.tile(np.arange(len(data.table)), 2)
    X = (data.X[origin] + spread * rng.normal(size=(len(origin), WIDTH))).astype(np.float32)
    index = tuple(data.table.index[origin])
    matrix = FeatureMatrix(X, index, data.matrix.names)
    data.copies = Copies(FeatureSet({"functionals": matrix}), origin)
    return data


class TestCopies:
    """A copy is trained on where its recording is, and nowhere else.

    Every recording has copies that its nearest neighbour would be, so that with a copy in the wrong
    place a recording is remembered.
    """

    @pytest.mark.parametrize("planted", [False, True])
    def test_random_labels(
        self,
        shorter: ExperimentConfig,
        monkeypatch: pytest.MonkeyPatch,
        planted: bool,
        tmp_path: Path,
    ) -> None:
        """All models stay at chance; with copies of test rows in training, neighbours are known."""
        names = ["knn"] if planted else MODELS
        config = replace(shorter, models={name: shorter.models[name] for name in names})
        if planted:

            def every(source: TrainingSource, rows: Int64) -> Int64:
                return np.union1d(
                    rows, np.flatnonzero(source.origin < np.arange(len(source.origin)))
                )

            monkeypatch.setattr(TrainingSource, "with_copies", every)
        found: dict[str, list[Results]] = {name: [] for name in names}
        for seed in range(2):
            data = with_copies(corpus(PROTOCOLS["kfold"], seed=seed))
            _, models = train(config, data, tmp_path / str(seed))
            test = data.folds[0].test
            for name, model in models.items():
                predicted = model.predict_proba(data.X[test])["emotion"].argmax(axis=1)
                found[name].append(Results(data.labels[test, 0], predicted, test))
        for name in names:
            results = pooled(found[name])
            low, high = bounds(results, tests=2 * len(MODELS))
            assert (results.uar > 0.9) if planted else (low <= results.uar <= high), name

    @pytest.mark.parametrize("planted", [False, True])
    def test_inner_folds(
        self,
        shorter: ExperimentConfig,
        monkeypatch: pytest.MonkeyPatch,
        planted: bool,
        tmp_path: Path,
    ) -> None:
        """A search sees that labels are random, unless copies of what it scores are fitted on."""
        if planted:
            honest = fold._with_copies

            def leaky(divide: Any, data: SpeechDataModule, number: int) -> Any:
                n, m = len(data.folds[number].train), len(fold.training_rows(data, number))
                found = honest(divide, data, number)
                return lambda k: [(np.union1d(fit, np.arange(n, m)), h) for fit, h in found(k)]

            monkeypatch.setattr(fold, "_with_copies", leaky)
        config = replace(shorter, models={"knn": shorter.models["knn"]})
        training, _ = train(config, with_copies(corpus(PROTOCOLS["kfold"], seed=0)), tmp_path / "a")
        [searched] = training.searched
        nearest = searched[searched["candidate"].str.contains('"n_neighbors": 1')]
        scores = nearest.filter(like="score_").to_numpy(dtype=float)
        assert scores.min() > 0.9 if planted else scores.max() < 0.55

    def test_inner_folds_within_inner_folds(
        self, shorter: ExperimentConfig, tmp_path: Path
    ) -> None:
        """Recordings are held out, each once; a copy is fitted on exactly where its recording is.

        Also among the rows of one fit side, as of a model that is fitted again for an ensemble.
        """
        data = with_copies(corpus(PROTOCOLS["kfold"], seed=0, speakers=12, each=12))
        n, rows = len(data.table), fold.training_rows(data, 0)
        origin = data.training.origin[rows]
        divide = context_of(shorter, data, 0, name="any", folder=tmp_path).inner_folds
        for fit, _ in divide(2):
            for among in (np.arange(len(rows)), fit):
                pairs = divide(2, among)
                held = np.concatenate([among[of] for _, of in pairs])
                assert sorted(held) == sorted(among[rows[among] < n])
                for fitted_on, of in pairs:
                    apart = np.isin(origin[among], origin[among[of]], invert=True)
                    assert sorted(fitted_on) == np.flatnonzero(apart).tolist()
                    assert (rows[among[fitted_on]] >= n).sum() == 2 * (
                        rows[among[fitted_on]] < n
                    ).sum()

    @pytest.mark.parametrize("planted", [False, True])
    def test_out_of_fold(self, shorter: ExperimentConfig, planted: bool, tmp_path: Path) -> None:
        """What an ensemble learns from: a recording isn't known by its copies, unless they leak."""
        config = replace(shorter, models={"knn": KNN(n_neighbors=[1], metric=["euclidean"])})
        data = with_copies(corpus(PROTOCOLS["kfold"], seed=0))
        training, models = train(config, data, tmp_path / "fold")
        rest = {"fitted": models, "choices": training.chosen, "folder": tmp_path}
        context = context_of(config, data, 0, name="ensemble", **rest)
        rows = Rows(data.training, fold.training_rows(data, 0))
        if planted:
            honest, copies = context.inner_folds, np.arange(len(data.folds[0].train), len(rows))

            def leaky(folds: int, among: Int64 | None = None) -> Any:
                return [(np.union1d(fit, copies), of) for fit, of in honest(folds, among)]

            context = replace(context, inner_folds=leaky)
        dev = Rows(data.training, data.folds[0].dev)
        found = predict_held_out(["knn"], rows, dev, context, folds=2)
        assert sorted(found.rows) == [*range(len(data.folds[0].train))]
        predicted = found.probabilities["emotion"][0].argmax(axis=1)
        uar = balanced_accuracy_score(rows.labels[found.rows, 0], predicted)
        assert uar > 0.9 if planted else uar < 0.55

    def test_copies_of_other_rows_change_nothing(
        self, shorter: ExperimentConfig, tmp_path: Path
    ) -> None:
        """Whatever copies of dev and test rows hold, every number stays; copies of training count.

        Bit for bit: what is chosen, scaled, weighted, fitted, stopped and calibrated.
        """
        found = {}
        for part in ("none", "test", "dev", "train"):
            data = with_copies(corpus(PROTOCOLS["speaker"], seed=0, each=12))
            assert data.copies is not None
            of_part = np.isin(data.copies.origin, data.folds[0].parts().get(part, []))
            X = data.copies.features.matrix.X.copy()
            X[of_part] = 1e4 - X[of_part]
            matrix = replace(data.copies.features.matrix, X=X)
            data.copies = replace(data.copies, features=FeatureSet({"functionals": matrix}))
            found[part] = fitted(*train(shorter, data, tmp_path / part))
        plain = found["none"]
        assert found["test"] == found["dev"] == plain
        differ = {name.split(".")[1] for name in plain if found["train"].get(name) != plain[name]}
        assert {*MODELS, "epochs"} <= differ


class TestEnsembles:
    """What combines models is fitted as well, and could learn from rows that it mustn't see."""

    def test_test_rows_change_nothing(self, tmp_path: Path) -> None:
        """Outliers, giveaways and other labels there: its numbers stay; a training row counts."""
        more = {f"models.{name}": "null" for name in ("mlp", "sklearn_mlp", "svm")}
        learnt = "{of: [knn, logreg], how: stacker, folds: 2, prior: 0.01}"
        config = configuration(**more, **{"models.ensemble": learnt})
        data = corpus(PROTOCOLS["speaker"], seed=0)
        X, labels = data.X.copy(), data.labels.copy()
        test = data.folds[0].test
        X[test, 0], X[test, 1:], labels[test] = labels[test, 0], 1e6, (labels[test] + 1) % 3
        other = data.X.copy()
        other[data.folds[0].train[:1]] += 5
        found = []
        for number, one in enumerate([(data.X, data.labels), (X, labels), (other, data.labels)]):
            _, models = train(config, again(data, *one), tmp_path / str(number))
            found.append(numbers(models["ensemble"]))
        assert found[0] == found[1]
        assert {key for key in found[0] if "combined" in key and found[2][key] != found[0][key]}

    @pytest.mark.parametrize("leak", [False, True])
    def test_stacker(self, leak: bool, tmp_path: Path) -> None:
        """Learnt on inner folds it stays at chance; learnt on the test rows it gives itself away.

        The planted leak has the test rows in the place of the dev part that it learns on.
        """
        names = ["knn", "logreg", "svm"]
        more = {f"models.{name}": "null" for name in ("mlp", "sklearn_mlp")}
        learnt = f"{{of: {names}, how: stacker, folds: 2, prior: 0.01}}"
        config = configuration(**more, **{"models.ensemble": learnt})
        results = []
        for seed in range(8):
            data = corpus(PROTOCOLS["kfold"], seed=seed, speakers=12, each=12)
            folder = tmp_path / str(seed)
            _, models = train(config, data, folder)
            test = data.folds[0].test
            if leak:
                context = context_of(
                    *(config, data, 0), name="ensemble", folder=folder, fitted=models
                )
                asked = replace(config.models["ensemble"], learn_on="dev")
                parts = (Rows(data, rows, "*") for rows in (data.folds[0].train, test))
                models["ensemble"] = asked.fit(*parts, context)
            found = models["ensemble"].predict(data.feature_set.take(test))[:, 0]
            speaker = pd.factorize(data.table["speaker"])[0][test] + 1000 * seed
            results.append(Results(data.labels[test, 0], found, speaker))
        low, high = bounds(pooled(results), tests=2)
        uar = pooled(results).uar
        assert (uar > high + 0.02) if leak else (low <= uar <= high)
