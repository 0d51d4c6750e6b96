from typing import Any

import numpy as np
import pandas as pd
import pytest

from speechnet.core.metrics import METRICS
from speechnet.evaluation.samples import Sample, validate_predictions
from speechnet.evaluation.scores import confusion_table, score_predictions, scores_of

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}


def block(
    model: str, target: str, part: str, fold: int, *, keep: list[str] | None = None
) -> pd.DataFrame:
    """Predictions of one model, target, part and fold; ``keep`` limits the true classes."""
    n = 30
    rng = np.random.default_rng([fold, *map(ord, model + target + part)])
    classes = TARGETS[target]
    truth = np.array(keep or classes)[rng.integers(0, len(keep or classes), n)]
    probability = rng.dirichlet(np.ones(len(classes)), n)
    table = pd.DataFrame({"file": [f"{part}/{fold}/{i}.wav" for i in range(n)]})
    table = table.assign(part=part, fold=fold, model=model, target=target, truth=truth)
    table["predicted"] = np.array(classes)[probability.argmax(axis=1)]
    table[[f"p_{name}" for name in classes]] = probability
    return table


def table(folds: int = 3, parts: tuple[str, ...] = ("test", "train")) -> pd.DataFrame:
    """Predictions as a run leaves them: parts and models in no particular order."""
    blocks = [
        block(model, target, part, fold)
        for fold in range(folds)
        for part in parts
        for model in ("mlp", "knn")
        for target in TARGETS
    ]
    return pd.concat(blocks, ignore_index=True)


def lookup(scores: pd.DataFrame, **key: str) -> pd.Series:
    """The values by metric of the rows with this key."""
    for column, value in key.items():
        scores = scores[scores[column] == value]
    return scores.set_index("metric")["value"]


def expected_scores(rows: pd.DataFrame, target: str) -> dict[str, float]:
    """The scores of some rows, by the array function."""
    classes = TARGETS[target]
    truth, predicted = (
        rows[c].map(classes.index).to_numpy(dtype=np.int64) for c in ("truth", "predicted")
    )
    probability = rows[[f"p_{c}" for c in classes]].to_numpy(dtype=float)
    same = np.zeros(len(truth), dtype=np.int64)
    return scores_of(
        Sample(classes, same, same, truth, predicted, probability), [*METRICS.values()]
    )


def test_every_model_target_part_and_fold_is_scored() -> None:
    """The table is tidy: one row per model, target, part, fold and metric, in a fixed order."""
    scores = score_predictions(table(), TARGETS)
    assert [*scores] == ["model", "target", "part", "fold", "metric", "value", "low", "high"]
    assert scores["value"].dtype == np.float64
    assert not scores.duplicated(["model", "target", "part", "fold", "metric"]).any()
    assert [*scores["model"].unique()] == ["mlp", "knn"]
    assert [*scores["target"].unique()] == ["gender", "emotion"]
    assert [*scores["part"].unique()] == ["train", "test"]
    assert [*scores["fold"].unique()] == ["0", "1", "2", "all", "mean", "sd"]
    names = [each.names(TARGETS[of]) for of in TARGETS for each in METRICS.values()]
    assert len(scores) == 2 * 2 * 6 * (2 + sum(map(len, names)))  # two models, two parts, six folds


def test_each_fold_and_all_hold_their_own_rows() -> None:
    """A fold's scores are those of its rows alone, "all" those of the rows of every fold."""
    predictions = table()
    scores = score_predictions(predictions, TARGETS)
    rows = predictions.query("model == 'knn' and target == 'emotion' and part == 'test'")
    key = {"model": "knn", "target": "emotion", "part": "test"}
    for fold in range(3):
        of_fold = expected_scores(rows[rows["fold"] == fold], "emotion")
        assert lookup(scores, **key, fold=str(fold)).to_dict() == pytest.approx(of_fold)
    assert lookup(scores, **key, fold="all").to_dict() == pytest.approx(
        expected_scores(rows, "emotion")
    )


def test_mean_and_sd_over_folds() -> None:
    """The plain mean, and the standard deviation with n - 1."""
    scores = score_predictions(table(), TARGETS)
    key = {"model": "mlp", "target": "emotion", "part": "test"}
    folds = pd.concat([lookup(scores, **key, fold=str(fold)) for fold in range(3)], axis=1)
    mean, sd = (lookup(scores, **key, fold=fold) for fold in ("mean", "sd"))
    pd.testing.assert_series_equal(mean, folds.sum(axis=1) / 3, check_names=False)
    squares = folds.sub(mean, axis=0) ** 2
    pd.testing.assert_series_equal(sd, (squares.sum(axis=1) / 2) ** 0.5, check_names=False)


def test_mean_and_sd_show_what_is_undefined_in_a_fold() -> None:
    """A fold without sad rows leaves no mean recall of sad; the pooled one is defined."""
    predictions = pd.concat(
        [
            block("knn", "emotion", "test", 0),
            block("knn", "emotion", "test", 1, keep=["angry", "happy"]),
        ]
    )
    scores = score_predictions(predictions, {"emotion": TARGETS["emotion"]})
    for metric in ("recall_sad", "auc_sad", "auc_macro"):
        assert np.isfinite(lookup(scores, fold="0")[metric])
        assert np.isnan(lookup(scores, fold="1")[metric])
        assert np.isnan(lookup(scores, fold="mean")[metric])
        assert np.isnan(lookup(scores, fold="sd")[metric])
        assert np.isfinite(lookup(scores, fold="all")[metric])
    assert np.isfinite(lookup(scores, fold="mean")["uar"])


def test_one_fold_equals_all_and_has_no_mean() -> None:
    """With one fold there is nothing to average."""
    scores = score_predictions(table(folds=1), TARGETS)
    assert [*scores["fold"].unique()] == ["0", "all"]
    one, pooled = (
        scores[scores["fold"] == fold].drop(columns="fold").reset_index(drop=True)
        for fold in ("0", "all")
    )
    pd.testing.assert_frame_equal(one, pooled)


def test_folds_are_in_order_of_their_number() -> None:
    """Fold 10 comes after fold 9."""
    predictions = pd.concat([block("knn", "gender", "test", fold) for fold in (10, 9, 2)])
    scores = score_predictions(predictions, {"gender": TARGETS["gender"]})
    assert [*scores["fold"].unique()] == ["2", "9", "10", "all", "mean", "sd"]


def test_order_and_index_of_rows_change_nothing() -> None:
    """Shuffled rows, categorical labels and a repeated index give the same table."""
    predictions = table()
    first_of_each = predictions["model"].drop_duplicates().index
    order = np.random.default_rng(0).permutation(predictions.index.difference(first_of_each))
    shuffled = predictions.loc[[*first_of_each, *order]]
    shuffled.index = np.zeros(len(shuffled), dtype=int)
    for column in ("model", "target", "part", "truth", "predicted"):
        shuffled[column] = shuffled[column].astype("category")
    pd.testing.assert_frame_equal(
        score_predictions(shuffled, TARGETS), score_predictions(predictions, TARGETS)
    )


def test_confusion_table_is_pooled_over_folds() -> None:
    """Every pair of classes has a row, in the targets' order, and counts what pandas counts."""
    predictions = table()
    counts = confusion_table(predictions, TARGETS)
    assert [*counts] == ["model", "target", "part", "truth", "predicted", "count"]
    assert len(counts) == 2 * 2 * (2 * 2 + 3 * 3)
    assert counts["count"].sum() == len(predictions)
    chosen = counts.query("model == 'knn' and target == 'emotion' and part == 'test'")
    assert [*chosen["truth"]] == [c for c in TARGETS["emotion"] for _ in range(3)]
    assert [*chosen["predicted"]] == TARGETS["emotion"] * 3  # zeros included
    rows = predictions.query("model == 'knn' and target == 'emotion' and part == 'test'")
    expected = pd.crosstab(rows["truth"], rows["predicted"])
    found = chosen.pivot_table(index="truth", columns="predicted", values="count", aggfunc="sum")
    pd.testing.assert_frame_equal(found, expected)
    angry = confusion_table(block("knn", "emotion", "test", 0, keep=["angry"]), TARGETS)
    assert angry.loc[angry["truth"] != "angry", "count"].tolist() == [0] * 6


def test_a_target_without_predictions_is_left_out() -> None:
    """Scores exist only where there are predictions; an empty table gives an empty table."""
    predictions = table().query("target == 'emotion'")
    predictions = predictions.assign(p_female=np.nan, p_male=np.nan)
    assert [*score_predictions(predictions, TARGETS)["target"].unique()] == ["emotion"]
    assert score_predictions(predictions.iloc[:0], TARGETS).empty
    assert confusion_table(predictions.iloc[:0], TARGETS).empty


def test_ties_may_go_to_either_class() -> None:
    """Where two classes are equally probable, either may be the predicted one."""
    predictions = block("knn", "gender", "test", 0)
    predictions[["p_female", "p_male"]] = 0.5
    for name in ("male", "female"):
        tied = predictions.assign(predicted=name)
        scores = score_predictions(tied, {"gender": TARGETS["gender"]})
        assert lookup(scores, fold="all")["accuracy"] == (tied["truth"] == name).mean()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("truth", "furious", "label 'furious' is not among the classes"),
        ("predicted", "furious", "label 'furious' is not among the classes"),
        ("p_female", np.nan, "1 of 60 predictions: the first has .* not finite or not in 0 to 1"),
        ("p_female", np.inf, "not finite or not in 0 to 1"),
        ("p_female", -0.1, "not finite or not in 0 to 1"),
        ("p_female", 0.0, "don't sum to 1"),
    ],
)
def test_a_bad_row_is_refused(column: str, value: object, message: str) -> None:
    """The error counts the rows whose probabilities are bad, and shows the first."""
    predictions = table(folds=1, parts=("test",))
    row = predictions.index[predictions["target"] == "gender"][7]
    if column == "p_female":
        predictions.loc[row, ["p_female", "p_male"]] = [0.4, 0.6]
    predictions.loc[row, column] = value
    with pytest.raises(ValueError, match=message) as caught:
        score_predictions(predictions, TARGETS)
    assert column != "p_female" or predictions.loc[row, "file"] in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"part": "Test"}, "30 of 30 predictions: the first has a part not in .'train', 'dev'"),
        ({"fold": 0.5}, "fold is float64, expected integers"),
        ({"file": "same.wav"}, "29 of 30 predictions: the first has the same file, fold, part"),
    ],
)
def test_a_table_of_another_form_is_refused(changes: dict[str, Any], message: str) -> None:
    """Rows of an unknown part would be left out silently, and doubled ones count twice."""
    predictions = block("knn", "gender", "test", 0).assign(**changes)
    with pytest.raises(ValueError, match=message):
        validate_predictions(predictions, {"gender": TARGETS["gender"]})


def test_predicted_must_be_the_most_probable() -> None:
    """A label that its own probabilities contradict is refused (columns in another order, say)."""
    predictions = block("knn", "gender", "test", 0)
    predictions = predictions.rename(columns={"p_male": "p_female", "p_female": "p_male"})
    with pytest.raises(ValueError, match=r"30 of 30 predictions: .* not given its most probable"):
        validate_predictions(predictions, {"gender": TARGETS["gender"]})
