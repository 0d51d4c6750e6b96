"""What a variant of an experiment is worth, by scikit-learn's scores and Holm written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from speechnet.evaluation.ablation import COLUMNS, Trial, ablation_table

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}
SPEAKERS = pd.Series(np.repeat([f"s{n}" for n in range(10)], 12), [f"{n}.wav" for n in range(120)])


def _predictions(right: float, seed: int, *, targets: tuple[str, ...] = tuple(TARGETS)) -> Any:
    """Predictions of 120 recordings in two folds, of which about this share is right."""
    rng = np.random.default_rng(seed)
    tables = []
    for target in targets:
        classes = np.array(TARGETS[target], dtype=object)
        truth = classes[np.arange(120) % len(classes)]
        drawn = classes[rng.integers(len(classes), size=120)]
        predicted = np.where(rng.random(120) < right, truth, drawn)
        columns = {"file": SPEAKERS.index, "fold": np.arange(120) // 60, "target": target}
        tables.append(pd.DataFrame(columns | {"truth": truth, "predicted": predicted}))
    return pd.concat(tables, ignore_index=True)


def _trials(baseline: pd.DataFrame, count: int, model: str = "svm") -> list[Trial]:
    return [
        Trial("features", f"without {n}", model, baseline, _predictions(0.2 + 0.2 * n, seed=n))
        for n in range(count)
    ]


def test_scores_by_scikit_learn() -> None:
    """A row for each variant and target; the difference is variant minus baseline."""
    baseline = _predictions(0.7, seed=9)
    trials = _trials(baseline, 3)
    table = ablation_table(trials, TARGETS, SPEAKERS)
    assert [*table] == [*COLUMNS]
    assert table["variant"].tolist() == [f"without {n}" for n in (0, 0, 1, 1, 2, 2)]
    for row in table.itertuples():
        trial = next(one for one in trials if one.variant == row.variant)
        for found, of in ((row.baseline, baseline), (row.value, trial.changed)):
            rows = of[of["target"] == row.target]
            expected = balanced_accuracy_score(rows["truth"], rows["predicted"])
            assert found == pytest.approx(expected)
        assert row.difference == pytest.approx(row.value - row.baseline)
        assert row.low <= row.difference <= row.high
    assert table[["n", "units", "unit"]].drop_duplicates().to_numpy().tolist() == [
        [120, 10, "speaker"]
    ]


def test_p_is_corrected_over_the_variants_of_a_model_and_target() -> None:
    """Holm by hand: smallest times 4, next times 3, never falling, never above 1; p stays."""
    baseline = _predictions(0.7, seed=9)
    others = _trials(_predictions(0.3, seed=8), 2, model="knn")
    table = ablation_table([*_trials(baseline, 4), *others], TARGETS, SPEAKERS)
    raw = np.array(
        [
            ablation_table([trial], TARGETS, SPEAKERS).query("target == 'emotion'")["p"].item()
            for trial in _trials(baseline, 4)
        ]
    )
    expected, last = np.zeros(4), 0.0
    for rank, position in enumerate(np.argsort(raw)):
        last = max(last, min(1.0, (4 - rank) * raw[position]))
        expected[position] = last
    found = table.query("model == 'svm' and target == 'emotion'")
    assert 0 < raw.min() < 0.05
    np.testing.assert_array_equal(found["p"], raw)
    np.testing.assert_allclose(found["p_holm"], expected)


def test_other_rows_are_refused() -> None:
    """A variant that was scored on fewer rows, or on other labels, is no variant."""
    baseline, changed = _predictions(0.7, seed=1), _predictions(0.5, seed=2)
    with pytest.raises(ValueError, match="a b, emotion: of 120 test rows the models lack"):
        ablation_table([Trial("a", "b", "svm", baseline, changed.iloc[:-1])], TARGETS, SPEAKERS)
    changed.loc[0, "truth"] = "male"
    with pytest.raises(ValueError, match="gender: the models disagree about what is true"):
        ablation_table([Trial("a", "b", "svm", baseline, changed)], TARGETS, SPEAKERS)


def test_of_one_target_only() -> None:
    """A target that the variant doesn't predict has no row."""
    changed = _predictions(0.5, seed=2, targets=("emotion",))
    trial = Trial("heads", "apart", "mlp", _predictions(0.7, seed=1), changed)
    assert ablation_table([trial], TARGETS, SPEAKERS)["target"].tolist() == ["emotion"]


def test_nothing_asked_for() -> None:
    """No variants give a table without rows, with its columns."""
    table = ablation_table([], TARGETS, SPEAKERS)
    assert len(table) == 0
    assert [*table] == [*COLUMNS]
