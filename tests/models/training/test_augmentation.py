"""Changes to frames in training, each against its formula written out for one recording."""

import numpy as np
import torch
from torch import Tensor

from speechnet.models.training.augmentation import Mixing, draw_mixing, mask, mix, resample, spans

LENGTHS = [1, 2, 7, 16, 31]


def frames(columns: int = 6) -> tuple[Tensor, Tensor]:
    """Recordings of several lengths, with anything behind the end of each."""
    drawn = np.random.default_rng(0).normal(size=(len(LENGTHS), 33, columns))
    return torch.tensor(drawn, dtype=torch.float32), torch.tensor(LENGTHS)


def test_stretch_and_warp() -> None:
    """NumPy's linear interpolation, first along the columns and then in time."""
    x, lengths = frames()
    stretch = torch.tensor([1.5, 0.6, 1.2, 0.9, 1.0])
    warp = torch.tensor([1.0, 1.2, 0.8, 1.05, 1.3])
    found, after = resample(x, lengths, stretch, warp)
    assert after.tolist() == [2, 1, 8, 14, 31]
    assert found.shape == (5, 31, 6)
    for row, (n, m) in enumerate(zip(LENGTHS, after.tolist(), strict=True)):
        columns = np.arange(6) / float(warp[row])
        across = np.stack([np.interp(columns, np.arange(6), one) for one in x[row, :n].numpy()])
        times = np.linspace(0, n - 1, m) if m > 1 else np.zeros(1)
        down = np.stack([np.interp(times, np.arange(n), one) for one in across.T], axis=1)
        np.testing.assert_allclose(found[row, :m], down, atol=1e-4)


def test_nothing_drawn_changes_nothing() -> None:
    """Factors of 1 give the recording itself."""
    x, lengths = frames()
    found, after = resample(x, lengths, torch.ones(5), torch.ones(5))
    assert after.tolist() == LENGTHS
    for row, n in enumerate(LENGTHS):
        np.testing.assert_allclose(found[row, :n], x[row, :n], atol=1e-5)


def test_spans_lie_within_each_recording() -> None:
    """Up to the widest share of a recording, anywhere in it, never behind its end."""
    torch.manual_seed(0)
    lengths = torch.tensor([1, 4, 10, 50])
    drawn = torch.stack([spans(lengths, 1, 0.3, 50) for _ in range(500)]).numpy()
    for row, n in enumerate(lengths.tolist()):
        one = drawn[:, row]
        assert not one[:, n:].any()
        widths = one.sum(axis=1)
        assert set(widths) == set(range(int(0.3 * n) + 1))
        assert (
            np.abs(np.diff(one.astype(int), axis=1, prepend=0, append=0)).sum(axis=1) <= 2
        ).all()
        if n > 4:
            hidden = one.mean(axis=0)[:n]
            assert (hidden > 0).all()
    assert spans(lengths, 3, 0.3, 50).sum() > 0


def test_hidden_frames_are_the_recordings_mean() -> None:
    """Column by column, over its own frames; all else stays."""
    x, lengths = frames()
    hidden = torch.zeros(5, 33, 1, dtype=torch.bool)
    hidden[3, 2:5] = True
    found = mask(x, lengths, hidden)
    np.testing.assert_allclose(
        found[3, 2:5], np.tile(x[3, :16].numpy().mean(axis=0), (3, 1)), atol=1e-6
    )
    assert torch.equal(found[~hidden[..., 0]], x[~hidden[..., 0]])


def test_mixed_pairs() -> None:
    """The formula, the shorter one as if it went on with zeros; as long as the longer one."""
    x, lengths = frames()
    order = torch.tensor([3, 0, 4, 1, 2])
    found, after = mix(x, lengths, Mixing(order, torch.tensor(0.7)))
    for row, other in enumerate(order.tolist()):
        one, two = (np.zeros((33, 6), dtype=np.float32) for _ in range(2))
        one[: LENGTHS[row]] = x[row, : LENGTHS[row]]
        two[: LENGTHS[other]] = x[other, : LENGTHS[other]]
        np.testing.assert_allclose(found[row], 0.7 * one + 0.3 * two, atol=1e-6)
        assert after[row] == max(LENGTHS[row], LENGTHS[other])


def test_shares_follow_the_beta_distribution() -> None:
    """Mean 1/2 and variance ``1 / (4 (2 alpha + 1))``; a pairing is a permutation."""
    torch.manual_seed(0)
    drawn = [draw_mixing(5, 0.4, torch.device("cpu")) for _ in range(1000)]
    shares = np.array([float(one.share) for one in drawn])
    assert abs(shares.mean() - 0.5) < 0.05
    assert abs(shares.var() - 1 / (4 * 1.8)) < 0.02
    assert all(sorted(one.order.tolist()) == list(range(5)) for one in drawn[:20])
