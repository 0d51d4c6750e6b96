"""What the trunk draws at random."""

import numpy as np
import pytest
import torch
from scipy import stats

from speechnet.models.training.layers import Dropout, random_bits, seed_epoch


@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_dropout(p: float) -> None:
    """The share asked for is dropped, the rest is scaled, the gradient goes the same way."""
    torch.manual_seed(0)
    x = torch.ones(2000, 101, requires_grad=True)
    out = Dropout(p, 64)(x)
    dropped = (out == 0).sum().item()
    assert stats.binomtest(dropped, out.numel(), p).pvalue > 1e-3
    torch.testing.assert_close(out[out != 0], torch.full_like(out[out != 0], 1 / (1 - p)))
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


def test_no_dropout() -> None:
    """Nothing is dropped in use, nor by a share of 0; then nothing is drawn."""
    x = torch.ones(5, 7)
    before = torch.get_rng_state()
    assert Dropout(0.0, 5)(x) is x
    assert Dropout(0.5, 5).eval()(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_a_short_batch_draws_as_much() -> None:
    """So that what is drawn after it does not depend on its length."""
    drop = Dropout(0.5, 8)
    torch.manual_seed(0)
    whole, after = drop(torch.ones(8, 6)), torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drop(torch.ones(3, 6)), whole[:3])
    assert torch.equal(torch.rand(1), after)


def test_bits() -> None:
    """Every int16 is as likely as any other, wherever it stands in the 64 bits drawn."""
    torch.manual_seed(0)
    bits = random_bits(1001, 203, torch.device("cpu"))
    assert bits.shape == (1001, 203)
    flat = bits.flatten().numpy().astype(np.int64)
    for lane in range(4):
        counts = np.bincount((flat[lane::4] + 2**15) >> 8, minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("p", "below"), [(0.0, -32768), (0.5, 0), (0.999999, 32767)])
def test_dropped_below(p: float, below: int) -> None:
    """Nothing lies below the lowest; something is always kept."""
    assert Dropout(p, 1).below == below


def test_epoch_seeds_differ() -> None:
    """Between the epochs of one training and between trainings."""
    seeds = set()
    for seed in (0, 1, 1000, 2**32 - 1):
        for epoch in range(50):
            seed_epoch(seed, epoch)
            seeds.add(torch.initial_seed())
    assert len(seeds) == 200
