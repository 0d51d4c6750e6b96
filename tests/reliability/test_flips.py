"""One flipped bit in what a run left: noticed, and never used silently."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.mutations import Rng, times

from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core.errors import DataError
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.store import FeatureStore

STATISTICS = SignalStatistics(1.0, 16_000, 1, 0.5, 0.0, 0.0, 0.1, 30.0, 8e3, "0" * 32)
pytestmark = pytest.mark.reliability


def _flip(data: bytes, rng: Rng) -> bytes:
    found = bytearray(data)
    found[rng.integers(len(found))] ^= 1 << int(rng.integers(8))
    return bytes(found)


def test_a_run_folder(tiny_run: Path, tmp_path: Path, rng: Rng) -> None:
    """Every file that the sums name, and the sums themselves."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    names = ["SHA256SUMS", *RunFolder.open(run).sums]
    for name in names:
        whole = (run / name).read_bytes()
        for _ in range(times(5)):
            (run / name).write_bytes(_flip(whole, rng))
            with pytest.raises(DataError):
                RunFolder.open(run)
        (run / name).write_bytes(whole)
    assert RunFolder.open(run).sums


def test_the_feature_cache(tmp_path: Path, rng: Rng) -> None:
    """A damaged shard's rows are gone; what is read is what was written, to the last bit."""
    X = rng.standard_normal((40, 4)).astype(np.float32)
    for number in range(times(100)):
        store = FeatureStore(tmp_path / str(number), recipe={"a": 1}, width=4)
        store.write({f"key{i}": (X[i], STATISTICS) for i in range(20)})
        store.write({f"key{i}": (X[i], STATISTICS) for i in range(20, 40)})
        shards = sorted(store.folder.glob("*.parquet"))
        spoilt = shards[int(rng.integers(len(shards)))]
        spoilt.write_bytes(_flip(spoilt.read_bytes(), rng))
        again = FeatureStore(tmp_path / str(number), recipe={"a": 1}, width=4)
        rows = again.read(f"key{i}" for i in range(40))
        kept = sorted(int(key.removeprefix("key")) for key in rows.position)
        assert kept in ([*range(20)], [*range(20, 40)])
        frames, _ = rows.frames(f"key{i}" for i in kept)
        assert frames.tobytes() == X[kept].tobytes()
