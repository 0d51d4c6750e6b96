"""The most confident mistakes, against a choice that is written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from speechnet.core.types import Targets
from speechnet.evaluation.mistakes import confident_mistakes

TARGETS: Targets = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}
MODELS = {"gender": "knn", "emotion": "svm"}


def predictions(seed: int, *, files: int = 30) -> pd.DataFrame:
    """Two models, three folds that share files; probabilities in tenths, so that many are equal."""
    rng = np.random.default_rng(seed)
    rows = []
    for target, classes in TARGETS.items():
        for model in ("knn", "svm"):
            for fold in range(3):
                for file in rng.permutation(files)[: files // 2]:
                    shares = rng.multinomial(10, np.full(len(classes), 1 / len(classes))) / 10
                    row = {
                        "file": f"{file:03d}.wav",
                        "part": str(rng.choice(["train", "dev", "test"], p=[0.2, 0.1, 0.7])),
                        "fold": fold,
                        "model": model,
                        "target": target,
                        "truth": str(rng.choice(classes)),
                        "predicted": classes[int(shares.argmax())],
                    }
                    rows.append(row | {f"p_{c}": p for c, p in zip(classes, shares, strict=True)})
    return pd.DataFrame(rows)


def written_out(table: pd.DataFrame, count: int) -> list[tuple[object, ...]]:
    """Row by row: what is wrong, sorted by confidence and name, one of each file."""
    chosen: list[tuple[object, ...]] = []
    for target, model in MODELS.items():
        wrong = []
        for row in table.to_dict("records"):
            if (row["target"], row["model"], row["part"]) != (target, model, "test"):
                continue
            if row["truth"] != row["predicted"]:
                confidence = row["p_" + row["predicted"]]
                wrong.append((-confidence, row["file"], row["fold"], row["truth"]))
        seen: list[str] = []
        for minus, file, fold, truth in sorted(wrong):
            if file not in seen and len(seen) < count:
                seen.append(file)
                chosen.append((target, model, fold, file, truth, -minus))
    return chosen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 4, 100])
def test_the_choice_is_the_one_written_out(seed: int, count: int) -> None:
    """Highest probability of a wrong class first, ties by name, each recording once."""
    table = predictions(seed)
    found = confident_mistakes(table, MODELS, count=count)
    columns = ["target", "model", "fold", "file", "truth", "confidence"]
    assert list(found[columns].itertuples(index=False, name=None)) == written_out(table, count)
    if count > 1:
        assert found.duplicated(["target", "confidence"]).any(), "no ties were broken"


def test_probabilities_stand_beside_each_mistake() -> None:
    """Those of the row it was chosen from; of other targets there are none."""
    table = predictions(7)
    found = confident_mistakes(table, MODELS, count=3)
    for row in found.to_dict("records"):
        same = table[(table["part"] == "test") & (table["file"] == row["file"])]
        for column in ("target", "model", "fold"):
            same = same[same[column] == row[column]]
        (origin,) = same.to_dict("records")
        for column in [name for name in table.columns if name.startswith("p_")]:
            np.testing.assert_equal(row[column], origin[column])
        own = [row[f"p_{name}"] for name in TARGETS[row["target"]]]
        assert row["confidence"] == max(own) == row[f"p_{row['predicted']}"]


def test_only_targets_with_a_model_have_mistakes() -> None:
    """One whose scores are undefined has no model to be shown."""
    found = confident_mistakes(predictions(1), {"emotion": "knn"}, count=5)
    assert set(found["target"]) == {"emotion"}
    assert set(found["model"]) == {"knn"}


@pytest.mark.parametrize("models", [{}, MODELS])
def test_where_all_is_right_the_table_has_no_rows(models: dict[str, str]) -> None:
    """It keeps its columns."""
    table = predictions(2)
    table["truth"] = table["predicted"]
    found = confident_mistakes(table, models, count=5)
    assert found.empty
    assert list(found.columns) == [
        *("target", "model", "fold", "file", "truth", "predicted", "confidence"),
        *("p_female", "p_male", "p_angry", "p_happy", "p_sad"),
    ]


def test_ties_are_spread_over_speakers() -> None:
    """Of equally confident mistakes each speaker gives one, by file, before any gives another."""
    files = [f"{speaker}{number}.wav" for speaker in "abc" for number in range(3)]
    sure = dict.fromkeys(files, 0.9) | {"c2.wav": 1.0}
    table = pd.DataFrame({"file": files, "part": "test", "fold": 0, "model": "knn"})
    table = table.assign(target="gender", truth="female", predicted="male")
    table = table.assign(p_male=table["file"].map(sure), p_female=0.0)
    speakers = {file: file[0] for file in files if file != "b1.wav"}  # that one is unknown
    found = confident_mistakes(table, {"gender": "knn"}, count=7, speakers=speakers)
    assert [name.removesuffix(".wav") for name in found["file"]] == [
        *("c2", "a0", "b0", "b1", "c0", "a1", "b2")
    ]
