"""What each member of an ensemble brings, against scikit-learn and the test of two models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from speechnet.evaluation.members import COLUMNS, member_contributions
from speechnet.evaluation.significance import compare_models

CLASSES = {"emotion": ["angry", "happy", "sad"]}
RIGHT = {"ensemble": 0.8, "svm": 0.6, "knn": 0.4, "without svm": 0.45, "without knn": 0.8}
"""How often each is right."""


def test_paired_differences() -> None:
    """Each UAR is scikit-learn's; interval and p are those of two models with these answers."""
    rng = np.random.default_rng(0)
    n, names = 240, np.array(CLASSES["emotion"], dtype=object)
    files = [f"{row}.wav" for row in range(n)]
    truth = rng.integers(3, size=n)
    table = pd.DataFrame({"file": files, "fold": np.arange(n) % 3, "truth": names[truth]})
    tables = {
        one: table.assign(
            model=one,
            predicted=names[np.where(rng.random(n) < share, truth, rng.integers(3, size=n))],
            part="test",
            target="emotion",
        )
        for one, share in RIGHT.items()
    }
    speakers = pd.Series(np.repeat([f"s{i}" for i in range(12)], 20), index=files)
    predictions = pd.concat([tables[name] for name in ("svm", "knn", "ensemble")])
    without = pd.concat(
        [tables[f"without {name}"].assign(model="ensemble", name=name) for name in ("svm", "knn")]
    )
    found = member_contributions(predictions, without, CLASSES, speakers, resamples=500)
    assert tuple(found) == COLUMNS
    assert found["name"].tolist() == ["svm", "knn"]
    together = balanced_accuracy_score(table["truth"], tables["ensemble"]["predicted"])
    for row in found.itertuples():
        other = tables[f"without {row.name}"]
        assert row.alone == pytest.approx(
            balanced_accuracy_score(table["truth"], tables[row.name]["predicted"])
        )
        assert row.together == pytest.approx(together)
        assert row.without == pytest.approx(
            balanced_accuracy_score(table["truth"], other["predicted"])
        )
        pair = pd.concat([tables["ensemble"], other])
        [expected] = compare_models(pair, CLASSES, speakers, resamples=500).to_dict("records")
        assert (row.difference, row.p) == pytest.approx((expected["difference"], expected["p"]))
        # Drawn beside other pairs, the resamples are not quite the same.
        assert (row.low, row.high) == pytest.approx((expected["low"], expected["high"]), abs=0.02)
    assert (found["p_holm"] >= found["p"]).all()
    assert found["difference"][0] > 0.1
