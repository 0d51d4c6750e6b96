"""Classical models on one layer of an encoder, or on the mean of all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tables import TARGETS, layered, speech_data
from sklearn.preprocessing import StandardScaler

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32, Int64, Stack
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.calibration import load_fitted
from speechnet.models.candidates import Tried
from speechnet.models.classical.knn import KNN
from speechnet.models.classical.logreg import LogReg
from speechnet.models.classical.svm import SVM
from speechnet.models.model import Context, Fitted, Rows
from speechnet.models.scikit.layer_scaler import LayerScaler, with_layers
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import search
from speechnet.splits.strata import inner_folds

STACKS = [Stack(1, 3, 2), Stack(8, 2, 2)]
"""Of 13 columns: 0, 7 and 12 belong to no layer."""


@pytest.fixture(name="X")
def rows() -> Float32:
    """Columns of very different place and span."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(40, 13)) * 10.0 ** np.arange(-6, 7) + np.arange(13)).astype(np.float32)


def scaled(X: Float32, layer: int | str) -> np.ndarray:
    return LayerScaler("standard", [list(one) for one in STACKS], layer).fit_transform(X)


def test_one_layer_is_the_plain_scaler_on_its_columns(X: Float32) -> None:
    """-1 is the last of each stack, and one that has no such layer gives its mean."""
    plain = StandardScaler().fit_transform(X.astype(np.float64))
    mean = (plain[:, 8:10] + plain[:, 10:12]) / 2
    columns = {0: [0, 1, 2, 7, 8, 9, 12], -1: [0, 5, 6, 7, 10, 11, 12]}
    for layer, some in columns.items():
        np.testing.assert_allclose(scaled(X, layer), plain[:, some], rtol=1e-9)
    expected = np.column_stack([plain[:, [0, 5, 6, 7]], mean, plain[:, 12]])
    np.testing.assert_allclose(scaled(X, 2), expected)


def test_mean_is_of_scaled_layers(X: Float32) -> None:
    """Each layer counts alike, whatever the size of its numbers."""
    plain = StandardScaler().fit_transform(X.astype(np.float64))
    first = (plain[:, 1:3] + plain[:, 3:5] + plain[:, 5:7]) / 3
    second = (plain[:, 8:10] + plain[:, 10:12]) / 2
    expected = np.column_stack([plain[:, 0], first, plain[:, 7], second, plain[:, 12]])
    np.testing.assert_allclose(scaled(X, "mean"), expected)


def test_candidates() -> None:
    """Each layer once, in order; none where there are no layers; a layer that isn't there."""
    tries = [{"C": 1.0}, {"C": 2.0}]
    found = with_layers(tries, ["mean", "all", 1, -1], STACKS)
    assert [one["layer"] for one in found[::2]] == ["mean", 0, 1, 2, -1]
    assert found[:2] == [{"layer": "mean", **one} for one in tries]
    assert with_layers(tries, ["all"], []) == tries
    with pytest.raises(ConfigError, match="layer is 3, but the features have 3 layers: 0 to 2"):
        with_layers(tries, [3], STACKS)


@pytest.mark.parametrize(
    "model",
    [
        SVM(C=[0.5, 1.0], kernel=["linear", "rbf"], layer=["all", "mean"]),
        KNN(n_neighbors=[1, 3], layer=["all", "mean"]),
        LogReg(C=[0.1], layer=["all", "mean"]),
    ],
)
def test_shared_work_is_of_one_layer(X: Float32, model: ScikitModel) -> None:
    """Every candidate has the score of a plain fit on the columns that it takes."""
    y = np.arange(40) % 2
    X = X + (y[:, None] * 10.0 ** np.arange(-6, 7)).astype(np.float32)
    run = FitAndScore(model, X, y, "standard", "uar", 0, STACKS)
    every = with_layers(model.candidates(), model.layer, STACKS)
    folds: list[tuple[Int64, Int64]] = [(np.arange(20), np.arange(20, 40))]
    tried = search(model.sharing(run), every, folds, metric="uar")
    for one in tried:
        layer = one.candidate["layer"]
        own = LayerScaler("standard", [list(stack) for stack in STACKS], layer).fit(X[:20])
        plain = FitAndScore(model, own.transform(X).astype(np.float32), y, "none", "uar", 0)
        rest = {key: value for key, value in one.candidate.items() if key != "layer"}
        assert not one.error
        assert one.mean == plain(rest, *folds[0])
    assert len({one.mean for one in tried}) > 1


def context(data: SpeechDataModule, folder: Path, **more: Any) -> Context:
    train = data.folds[0].train
    speakers, labels = data.table["speaker"].to_numpy()[train], data.labels[train]
    return Context(
        targets=TARGETS,
        scaling="standard",
        seed=0,
        metric="uar",
        inner_folds=lambda folds: inner_folds(labels, speakers, folds=folds, seed=0),
        folder=folder,
        name="svm",
        make_trainer=lambda *_: None,
        **more,
    )


def fitted(model: ScikitModel, data: SpeechDataModule, context: Context) -> Fitted:
    train, dev = (Rows(data, rows) for rows in (data.folds[0].train, data.folds[0].dev))
    return model.fit(train, dev, context)


def test_search_finds_the_layer_that_tells(tmp_path: Path) -> None:
    """It is chosen, saved, read back, and predicts; another of its candidates is the mean."""
    data, tried = layered(speech_data(), 5, told=3), dict[str, list[Tried]]()
    model = SVM(C=[1.0], folds=2, layer=["mean", "all"])
    found = fitted(model, data, context(data, tmp_path, searched=tried.__setitem__))
    for target, every in tried.items():
        assert [one.candidate["layer"] for one in every] == ["mean", 0, 1, 2, 3, 4], target
    assert [(one.target, one.member) for one in found.layer_weights()] == [
        ("gender", 0),
        ("emotion", 0),
    ]
    assert [one.weights for one in found.layer_weights()] == [[0, 0, 0, 1, 0]] * 2
    test = Rows(data, data.folds[0].test)
    assert (found.predict(test.features) == test.labels).mean() > 0.8
    found.save(tmp_path, "svm")
    again = load_fitted(tmp_path, "svm", TARGETS)
    assert again.layer_weights() == found.layer_weights()
    for target, values in found.predict_proba(test.features).items():
        assert np.array_equal(again.predict_proba(test.features)[target], values)


def test_earlier_choice_is_taken(tmp_path: Path) -> None:
    """As an ablation does it; of columns without layers a chosen layer means nothing."""
    choice = {"C": 1.0, "kernel": "rbf", "gamma": "scale", "class_weight": "balanced", "layer": 1}
    chosen = dict.fromkeys(TARGETS, choice)
    data = layered(speech_data(), 2, told=1)
    of = context(data, tmp_path, chosen=chosen)
    assert fitted(SVM(), data, of).layer_weights()[0].weights == [0, 1]
    plain = speech_data()
    assert fitted(SVM(), plain, of).layer_weights() == []
