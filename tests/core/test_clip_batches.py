"""Clips through torch in batches: their sizes, and what becomes of too little memory."""

import logging
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from helpers.devices import DEVICES
from torch import Tensor

from speechnet.core import clip_batches as module
from speechnet.core.clip_batches import ClipBatches
from speechnet.core.types import Float32

_REAL_APPLY = module._apply


def clips(*lengths: int) -> list[Float32]:
    """Samples that count from the clip's number on."""
    return [np.arange(i, i + n, dtype=np.float32) for i, n in enumerate(lengths)]


def sums(y: Tensor, lengths: Tensor) -> list[float]:
    """Of each clip, if nothing but zeros is behind its end."""
    beyond = torch.arange(y.shape[1], device=y.device) >= lengths[:, None]
    assert not y[beyond].any()
    return [float(value) for value in y.sum(dim=1)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch_samples", [None, 0, 100, 2**20])
def test_results_stand_in_the_order_of_the_clips(device: str, batch_samples: int | None) -> None:
    """Whatever the batches."""
    some = clips(10, 120, 50, 49, 30, 33, 34, 31)
    found = ClipBatches(device, batch_samples=batch_samples).map(some, sums)
    assert found == [float(clip.sum()) for clip in some]
    assert ClipBatches(device).map([], sums) == []


def test_batches_are_of_about_one_length() -> None:
    """The longest first, no more than asked for, none padded to twice its length."""
    batches = list(ClipBatches(batch_samples=100)._batches([10, 120, 50, 49, 30, 33, 34, 31]))
    assert batches == [[1], [2, 3], [6, 5], [7, 4], [0]]


def test_torch_has_one_thread_meanwhile() -> None:
    """On a CPU; afterwards as many as before."""
    before = torch.get_num_threads()
    (found,) = ClipBatches().map(clips(3), lambda *_: [torch.get_num_threads()])
    assert found == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
)
def test_too_little_memory_halves_the_batch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    """It goes on with smaller ones, says so once a halving, and loses nothing."""

    def narrow(some: Sequence[Float32], compute: object, device: str) -> object:
        if device != "cpu" and sum(map(len, some)) > 100:
            raise error
        return _REAL_APPLY(some, compute, "cpu")  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_apply", narrow)
    some, batches = clips(*[50] * 8, 150), ClipBatches("cuda")
    with caplog.at_level(logging.WARNING):
        found = batches.map(some, sums)
    assert found == [float(clip.sum()) for clip in some]
    said = [record.getMessage() for record in caplog.records]
    assert sum("ran out of memory" in message for message in said) >= 2
    assert sum("too long for the GPU: the CPU takes it" in message for message in said) == 1
    assert batches.batch_samples < 200


def test_other_errors_are_not_taken_for_it() -> None:
    """A fault of the program is not hidden behind smaller batches."""

    def fail(*_: object) -> list[None]:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        ClipBatches().map(clips(5), fail)


@pytest.mark.skipif("cuda" not in DEVICES, reason="no GPU: the tests above ran on the CPU alone")
def test_the_tests_above_ran_on_a_gpu() -> None:
    """So that a run without one says so, once."""
    assert torch.cuda.is_available()
