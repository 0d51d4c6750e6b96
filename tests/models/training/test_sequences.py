"""Layers over frames: padding changes nothing, and pooling is NumPy's of each recording."""

import numpy as np
import pytest
import torch

from speechnet.models.training.sequences import FrameCNN, mean_and_spread

LENGTHS = [1, 2, 7, 16, 31]


def padded(recordings: list[np.ndarray], frames: int, beyond: float) -> torch.Tensor:
    """Recordings side by side, with some value behind each one's end."""
    x = torch.full((len(recordings), frames, recordings[0].shape[1]), beyond)
    for row, one in enumerate(recordings):
        x[row, : len(one)] = torch.tensor(one)
    return x


@pytest.fixture
def recordings() -> list[np.ndarray]:
    """Of several lengths, 6 values per frame."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 6)).astype(np.float32) for length in LENGTHS]


@pytest.mark.parametrize("kernel", [1, 4, 5])
@pytest.mark.parametrize(("frames", "beyond"), [(31, 0.0), (31, 9.0), (64, -3.0)])
def test_padding_changes_nothing(
    recordings: list[np.ndarray], kernel: int, frames: int, beyond: float
) -> None:
    """A recording alone, and beside longer ones with anything behind its end: the same output."""
    torch.manual_seed(0)
    network = FrameCNN(6, [8, 5, 4], kernel=kernel, dropout=0.0)
    together = network(padded(recordings, frames, beyond), torch.tensor(LENGTHS))
    for row, one in enumerate(recordings):
        alone = network(torch.tensor(one)[None], torch.tensor([len(one)]))
        torch.testing.assert_close(together[row], alone[0])
    assert together.shape == (len(LENGTHS), 8)
    assert len(together.detach().round(decimals=3).unique(dim=0)) == len(LENGTHS)


def test_mean_and_spread(recordings: list[np.ndarray]) -> None:
    """NumPy's mean and standard deviation of each recording; one that never varies too."""
    x = padded(recordings, 40, 0.0)
    found = mean_and_spread(x, torch.tensor(LENGTHS)).numpy()
    for row, one in zip(found, recordings, strict=True):
        np.testing.assert_allclose(row[:6], one.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(row[6:], np.sqrt(one.var(axis=0) + 1e-5), atol=1e-6)
    flat = torch.zeros(2, 3, 4, requires_grad=True)
    mean_and_spread(flat, torch.tensor([3, 1])).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
