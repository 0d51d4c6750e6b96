"""Which model is the best."""

import math

import pandas as pd
import pytest

from speechnet.evaluation.selection import Choice, choose_model

MODELS = ["mlp", "svm"]


def scores(
    part: str, mean: dict[str, tuple[float, float]], pooled: dict[str, tuple[float, float]]
) -> pd.DataFrame:
    """UAR of gender and emotion by model, the mean over folds and all folds' rows together."""
    rows = [
        (model, target, part, fold, "uar", value)
        for fold, by_model in (("mean", mean), ("all", pooled))
        for model, values in by_model.items()
        for target, value in zip(("gender", "emotion"), values, strict=True)
    ]
    columns = ["model", "target", "part", "fold", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def searched(**inner: float) -> pd.DataFrame:
    """What the searches found, each candidate that was not chosen the better one."""
    rows = [
        (model, target, chosen, score + 0.1 * (not chosen))
        for model, score in inner.items()
        for target in ("gender", "emotion")
        for chosen in (True, False)
    ]
    return pd.DataFrame(rows, columns=["model", "target", "chosen", "mean"])


def test_the_mean_over_folds_decides_and_not_the_pooled_rows() -> None:
    """Where the two disagree; the highest mean over targets, whatever a single target says."""
    dev = scores(
        "dev", {"mlp": (0.9, 0.5), "svm": (0.8, 0.7)}, {"mlp": (0.99, 0.9), "svm": (0.1, 0.1)}
    )
    test = scores("test", {"mlp": (1, 1), "svm": (0, 0)}, {"mlp": (1, 1), "svm": (0, 0)})
    found = choose_model(pd.concat([dev, test]), MODELS, searched(mlp=0.9, svm=0.1))
    assert found == Choice("svm", "dev", pytest.approx(0.75), ("gender", "emotion"))
    assert found.fair


def test_pooled_rows_stand_in_for_an_undefined_mean() -> None:
    """For all models of that target, though one of them may have a mean."""
    dev = scores(
        "dev",
        {"mlp": (math.nan, 0.6), "svm": (0.99, 0.6)},
        {"mlp": (0.9, 0.0), "svm": (0.8, 1.0)},
    )
    found = choose_model(dev, MODELS)
    assert found == Choice("mlp", "dev", pytest.approx(0.75), ("gender", "emotion"))


def test_one_fold_has_no_mean() -> None:
    """Its own score is that of all its rows."""
    dev = scores("dev", {}, {"mlp": (0.9, 0.6), "svm": (0.8, 0.6)})
    assert choose_model(dev, MODELS) == Choice(
        "mlp", "dev", pytest.approx(0.75), ("gender", "emotion")
    )


def test_a_target_without_dev_scores_does_not_count() -> None:
    """The other one decides."""
    undefined = {"mlp": (math.nan, 0.6), "svm": (math.nan, 0.7)}
    assert choose_model(scores("dev", undefined, undefined), MODELS) == Choice(
        "svm", "dev", pytest.approx(0.7), ("emotion",)
    )


def test_without_a_dev_part_the_searches_decide_and_at_last_the_test_part() -> None:
    """Which is said to be no fair choice; of a model that wasn't searched nothing is known."""
    by_model = {"mlp": (0.9, 0.9), "svm": (0.8, 0.8)}
    test = scores("test", by_model, by_model)
    found = choose_model(test, MODELS, searched(svm=0.4, mlp=0.3))
    assert found == Choice("svm", "search", pytest.approx(0.4), ("gender", "emotion"))
    assert choose_model(test, MODELS, searched(svm=0.4)).model == "svm"  # type: ignore[union-attr]
    found = choose_model(test, MODELS)
    assert found == Choice("mlp", "test", pytest.approx(0.9), ("gender", "emotion"))
    assert not found.fair
    assert choose_model(test.assign(value=math.nan), MODELS) is None


def test_of_equals_the_first_and_of_one_that_one() -> None:
    """In the order of the run's models; a single one needs no scores."""
    alike = {"mlp": (0.5, 0.5), "svm": (0.5, 0.5)}
    dev = scores("dev", alike, alike)
    for models in (MODELS, MODELS[::-1]):
        assert choose_model(dev, models).model == models[0]  # type: ignore[union-attr]
    assert choose_model(dev.head(0), ["svm"]) == Choice("svm", "only")
