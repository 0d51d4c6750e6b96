"""UAR from counts."""

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score

from speechnet.models.training.objective import count_hits, recall


def test_as_scikit_learn() -> None:
    """Macro recall, of several networks at once, by way of counts that add up over pieces."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(-1, 4, 50), rng.integers(0, 4, (3, 50))
    pieces = [
        count_hits(torch.tensor(predicted[:, part]), torch.tensor(truth[part]), 4)
        for part in (slice(20), slice(20, 50))
    ]
    uar = recall(pieces[0][0] + pieces[1][0], pieces[0][1] + pieces[1][1])
    known = truth >= 0
    for own, one in zip(uar, predicted, strict=True):
        expected = recall_score(truth[known], one[known], average="macro")
        assert own.item() == pytest.approx(expected)


def test_classes_without_rows() -> None:
    """They don't count; without any row there is no UAR."""
    hits, rows = count_hits(torch.tensor([0, 1, 1]), torch.tensor([0, 0, -1]), 3)
    assert recall(hits, rows).item() == 0.5
    assert recall(*count_hits(torch.tensor([0]), torch.tensor([-1]), 3)).isnan()
