"""The feature cache under everything that happens to folders: processes, bits, permissions."""

import errno
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core.errors import Excluded, StorageError
from speechnet.features.extraction.store import FeatureStore, Row, Rows

pytestmark = pytest.mark.slow

WIDTH = 5
RECIPE = {"audio": {"sample_rate": 22_050}, "features": ["a", "b"]}

# What the child processes below share: row `i` is decided by i alone.
PRELUDE = f"""
import sys
from pathlib import Path
import numpy as np
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.features.extraction.store import FeatureStore
def row(i):
    statistics = SignalStatistics(1.0 + i, 16_000, 1, 0.5, 0.0, 0.0, 0.1, 30.0, 8e3, f"{{i:032x}}")
    return np.full({WIDTH}, i, np.float32), statistics
store = FeatureStore(Path(sys.argv[1]), recipe={RECIPE!r}, width={WIDTH})
"""


def row(i: int) -> Row:
    """Row ``i``, decided by i alone."""
    statistics = SignalStatistics(1.0 + i, 16_000, 1, 0.5, 0.0, 0.0, 0.1, 30.0, 8e3, f"{i:032x}")
    return np.full(WIDTH, i, np.float32), statistics


def rows(*numbers: int) -> dict[str, Row]:
    return {f"key{i}": row(i) for i in numbers}


def open_store(folder: Path, recipe: object = None) -> FeatureStore:
    return FeatureStore(folder, recipe=recipe or RECIPE, width=WIDTH)  # type: ignore[arg-type]


def twenty_shards(folder: Path) -> FeatureStore:
    """Enough of them to be merged."""
    store = open_store(folder)
    for i in range(20):
        store.write(rows(i))
    return store


def shards(store: FeatureStore) -> list[Path]:
    return sorted(store.folder.glob("*.parquet"))


def assert_rows(found: Rows, *numbers: int) -> None:
    assert set(found.position) == {f"key{i}" for i in numbers}
    keys = [f"key{i}" for i in numbers]
    frames, starts = found.frames(keys)
    np.testing.assert_array_equal(frames, np.array([row(i)[0] for i in numbers]).reshape(-1, WIDTH))
    assert starts.tolist() == list(range(len(numbers) + 1))
    assert [SignalStatistics(*v) for v in found.statistics(keys).itertuples(index=False)] == [
        row(i)[1] for i in numbers
    ]


def child(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = [*prefix, sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """By any store of the same recipe; only what was asked for, and what is there."""
    open_store(tmp_path).write(rows(1, 2))
    open_store(tmp_path).write(rows(3))
    assert_rows(open_store(tmp_path).read(["key3", "key1", "key1", "other"]), 1, 3)
    assert_rows(open_store(tmp_path).read([]))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    X=arrays(np.float32, (3, WIDTH), elements=st.floats(width=32, allow_nan=False)),
    keys=st.lists(st.text(st.characters(codec="utf-8")), min_size=3, max_size=3, unique=True),
    numbers=st.lists(st.floats(allow_nan=False), min_size=7, max_size=7),
)
def test_rows_come_back_to_the_last_bit(
    tmp_path: Path, X: np.ndarray, keys: list[str], numbers: list[float]
) -> None:
    """Any finite float32, any key, any statistics."""
    store = open_store(tmp_path / uuid4().hex)
    duration, *others = numbers
    statistics = SignalStatistics(duration, 8_000, 2, *others, "ff")
    store.write({key: (x, statistics) for key, x in zip(keys, X, strict=True)})
    found = store.read(keys)
    assert found.frames(keys)[0].tobytes() == X.tobytes()
    assert found.statistics(keys).to_dict("records") == [vars(statistics)] * 3


def test_frames_of_any_number_come_back(tmp_path: Path) -> None:
    """Ragged, in the order asked for; a refusal between them has none, and keeps its reason."""
    frames = [np.arange(n * WIDTH, dtype=np.float32).reshape(n, WIDTH) for n in (3, 1, 7)]
    store = open_store(tmp_path)
    store.write({"a": (frames[0], row(0)[1]), "b": Excluded("silent", "no sound")})
    store.write({"c": (frames[1], row(1)[1]), "d": (frames[2], row(2)[1])})
    found = open_store(tmp_path).read("abcd")
    assert [str(why) for why in found.refusals("ab")] == ["None", "silent: no sound"]
    got, starts = found.frames("dac")
    assert starts.tolist() == [0, 7, 10, 11]
    np.testing.assert_array_equal(got, np.concatenate([frames[2], frames[0], frames[1]]))


def test_half_precision_comes_back_in_half_the_room(tmp_path: Path) -> None:
    """And float32 never reads it."""
    half = np.linspace(-60_000, 60_000, WIDTH).astype(np.float16)
    store = FeatureStore(tmp_path, recipe=RECIPE, width=WIDTH, type_="float16")
    store.write({"key0": (half, row(0)[1])})
    again = FeatureStore(tmp_path, recipe=RECIPE, width=WIDTH, type_="float16").read(["key0"])
    frames, _ = again.frames(["key0"])
    assert frames.dtype == np.float16
    np.testing.assert_array_equal(frames, half[None])
    assert not open_store(tmp_path).read(["key0"]).position


def test_shards_are_plain_parquet(tmp_path: Path) -> None:
    """Pandas reads them without this package."""
    store = open_store(tmp_path)
    store.write(rows(7))
    table = pd.read_parquet(shards(store)[0])
    assert table["key"].tolist() == ["key7"]
    assert table["row"][0].tolist() == [7.0] * WIDTH
    assert table["duration"].tolist() == [8.0]


def test_another_recipe_never_sees_the_rows(tmp_path: Path) -> None:
    """Any change of any setting is another folder; the order of settings is no change."""
    open_store(tmp_path).write(rows(1))
    changed = {"audio": {"sample_rate": 16_000}, "features": ["a", "b"]}
    assert open_store(tmp_path, changed).read(["key1"]).position == {}
    reordered = {"features": ["a", "b"], "audio": {"sample_rate": 22_050}}
    assert_rows(open_store(tmp_path, reordered).read(["key1"]), 1)


@pytest.mark.parametrize("where", ["first", "rows", "footer", "last", "cut", "longer"])
def test_a_damaged_shard_is_noticed(
    tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One flipped bit anywhere: its rows are gone, the others stay, and it can be written again."""
    store = open_store(tmp_path)
    store.write(rows(*range(50)))
    (damaged,) = shards(store)
    store.write(rows(99))
    data = bytearray(damaged.read_bytes())
    if where == "cut":
        data = data[:-1]
    elif where == "longer":
        data += b"\0"
    else:
        at = {"first": 0, "rows": len(data) // 3, "footer": len(data) - 40, "last": -1}[where]
        data[at] ^= 0x04
    damaged.write_bytes(data)
    assert_rows(store.read(f"key{i}" for i in range(100)), 99)
    assert "damaged cache shard" in caplog.text
    assert not damaged.exists()
    store.write(rows(*range(50)))
    assert_rows(store.read(f"key{i}" for i in range(100)), *range(50), 99)


@pytest.mark.parametrize("other", ["columns", "types", "no Parquet"])
def test_a_shard_of_another_kind_is_damaged(
    tmp_path: Path, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, under its own hash, but not what this program writes: its rows are computed again."""
    store = open_store(tmp_path)
    store.write(rows(1))
    (ours,) = shards(store)
    table = pd.read_parquet(ours)
    buffer = io.BytesIO(b"not a table")
    if other != "no Parquet":
        buffer = io.BytesIO()
        changed = table.drop(columns="snr") if other == "columns" else table.astype({"peak": "f4"})
        changed.to_parquet(buffer)
    data = buffer.getvalue()
    foreign = store.folder / f"{hashlib.blake2b(data, digest_size=16).hexdigest()}.parquet"
    foreign.write_bytes(data)
    assert_rows(open_store(tmp_path).read(["key1"]), 1)
    assert "damaged cache shard" in caplog.text
    assert shards(store) == [ours]


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Neither waits, nothing is mixed, nothing is lost; both merge the shards at the end."""
    code = """
first = int(sys.argv[2])
for i in range(first, first + 40):
    store.write({f"key{i}": row(i)})
store.compact()
"""
    # Rows 20 to 39 are written by both.
    both = [child(code, tmp_path, 0), child(code, tmp_path, 20)]
    for process in both:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    store = open_store(tmp_path)
    assert_rows(store.read(f"key{i}" for i in range(99)), *range(60))
    assert not list(store.folder.glob(".*"))


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05])
def test_a_killed_writer_leaves_no_broken_shard(tmp_path: Path, moment: float) -> None:
    """``kill -9`` while it writes: what it said was written is there, and every shard is whole."""
    process = child(
        """
for i in range(100_000):
    store.write({f"key{i}": row(i)})
    print(i, flush=True)
""",
        tmp_path,
    )
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    said = process.communicate(timeout=60)[0].split()
    finished = range(int(said[-1]) + 1 if said else 5)
    store = open_store(tmp_path)
    found = store.read(f"key{i}" for i in range(100_000))
    assert_rows(found, *range(len(found.position)))  # no gap, nothing foreign
    assert len(finished) <= len(found.position) <= len(finished) + 1


def test_a_kill_before_the_rename_leaves_a_temporary_file_only(tmp_path: Path) -> None:
    """The moment that matters, hit for certain; what is left is swept up once it is old."""
    process = child(
        """
import os, signal
store.write({"key1": row(1)})
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
store.write({"key2": row(2)})
""",
        tmp_path,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    store = open_store(tmp_path)
    assert_rows(store.read(["key1", "key2"]), 1)
    (left,) = store.folder.glob(".*.tmp")
    os.utime(left, (0, 0))
    open_store(tmp_path)
    assert not left.exists()


def test_compaction_keeps_every_row_once(tmp_path: Path) -> None:
    """Many small shards become one; a row that stands in two of them is kept once."""
    store = open_store(tmp_path)
    for i in range(30):
        store.write(rows(i, i + 1))
    store.compact()
    (merged,) = shards(store)
    assert len(pd.read_parquet(merged)) == 31
    assert_rows(store.read(f"key{i}" for i in range(99)), *range(31))


def test_compaction_leaves_large_and_few_alone(tmp_path: Path) -> None:
    """Up to 16 small shards stay as they are; a large one is never written again."""
    store = open_store(tmp_path)
    rng = np.random.default_rng(0)
    store.write(
        {
            f"large{i}": (x, row(i)[1])
            for i, x in enumerate(rng.random((300_000, WIDTH), dtype=np.float32))
        }
    )
    (large,) = shards(store)
    for i in range(16):
        store.write(rows(i))
    before = shards(store)
    store.compact()
    assert shards(store) == before
    store.write(rows(16))
    store.compact()
    assert len(shards(store)) == 2
    assert large in shards(store)


def test_merged_shards_stay_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows are not gathered in memory at once."""
    store = open_store(tmp_path)
    for i in range(40):
        store.write(rows(i))
    size = shards(store)[0].stat().st_size
    monkeypatch.setattr("speechnet.features.extraction.store._MERGED_BYTES", 10 * size)
    store.compact()
    assert 4 <= len(shards(store)) <= 6
    assert_rows(store.read(f"key{i}" for i in range(40)), *range(40))


def test_a_reader_sees_every_row_while_shards_are_merged(tmp_path: Path) -> None:
    """Ten rounds of writing and merging in one process, reading all the while in this one."""
    store = open_store(tmp_path)
    store.write(rows(*range(20)))
    process = child(
        """
for i in range(1_000, 1_200):
    store.write({f"key{i}": row(i)})
    if i % 20 == 0:
        store.compact()
""",
        tmp_path,
    )
    reads = 0
    while process.poll() is None:
        assert_rows(store.read(f"key{i}" for i in range(20)), *range(20))
        reads += 1
    _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    assert reads > 3
    assert_rows(store.read(f"key{i}" for i in range(1_000, 1_200)), *range(1_000, 1_200))


def test_a_listing_taken_at_a_bad_moment_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between listing and reading everything was merged; and a listing that saw neither."""
    store = twenty_shards(tmp_path)
    old = shards(store)
    store.compact()
    listings = iter([old, []])
    real = FeatureStore._shards
    monkeypatch.setattr(FeatureStore, "_shards", lambda self: next(listings, None) or real(self))
    assert_rows(store.read(f"key{i}" for i in range(20)), *range(20))


def test_compaction_survives_a_shard_that_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process merged it first."""
    store = twenty_shards(tmp_path)
    listed = shards(store)
    gone = listed[3]
    gone.unlink()
    monkeypatch.setattr(FeatureStore, "_shards", lambda _: listed)
    store.compact()
    monkeypatch.undo()
    assert len(shards(store)) == 1
    assert len(store.read(f"key{i}" for i in range(20)).position) == 19


def without_privileges() -> tuple[str, ...]:
    """Words before a command that make permissions count even for root."""
    if os.getuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root, and no setpriv to give its privileges up")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    """Rows are read; writing, merging and sweeping do nothing, with one warning."""
    store = twenty_shards(tmp_path)
    left = store.folder / ".old.tmp"
    left.touch()
    os.utime(left, (0, 0))
    store.folder.chmod(0o555)
    code = """
assert store.read(["key3"]).statistics(["key3"]).to_dict("records") == [vars(row(3)[1])]
store.write({"key99": row(99)})
store.write({"key98": row(98)})
store.compact()
print(store.writable, len(store.read(f"key{i}" for i in range(100)).position))
"""
    process = child(code, tmp_path, prefix=without_privileges())
    out, complaint = process.communicate(timeout=60)
    store.folder.chmod(0o755)
    assert out.split() == ["False", "20"], complaint
    assert complaint.count("can't be written") == 1


def test_a_file_in_the_folder_s_place(tmp_path: Path) -> None:
    """No crash: nothing is kept."""
    (tmp_path / "features").write_text("in the way")
    store = open_store(tmp_path)
    assert not store.writable
    assert store.read(["key1"]).position == {}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """With what to do; what was written before stays."""
    store = open_store(tmp_path)
    store.write(rows(1))

    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("speechnet.core.files.os.fsync", full)
    with pytest.raises(StorageError, match=r"no space left for the feature cache.*cache_dir"):
        store.write(rows(2))
    assert not list(store.folder.glob(".*.tmp"))
    assert_rows(store.read(["key1", "key2"]), 1)


def test_a_shard_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its store is asked, for other rows or none; what others add is seen."""
    twenty_shards(tmp_path)
    store = open_store(tmp_path)
    read: list[Path] = []
    load = FeatureStore._load

    def loaded(self: FeatureStore, path: Path) -> object:
        read.append(path)
        return load(self, path)

    monkeypatch.setattr(FeatureStore, "_load", loaded)
    for i in range(20):
        assert_rows(store.read([f"key{i}", "other"]), i)
    assert sorted(read) == shards(store)
    store.write(rows(20))
    assert_rows(store.read(["key3"]), 3)
    assert len(read) == 20  # what it wrote itself it knows
    assert_rows(store.read(["key20"]), 20)
    open_store(tmp_path).write(rows(21))
    assert_rows(store.read(["key21", "key20"]), 20, 21)
    assert len(set(read)) == len(read) == 22


def test_rows_that_are_no_longer_held_are_read_and_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Little is kept in memory; what was damaged or merged away meanwhile is noticed."""
    monkeypatch.setattr("speechnet.features.extraction.store._HELD_BYTES", 0)
    store = twenty_shards(tmp_path)
    keys = [f"key{i}" for i in range(20)]
    assert_rows(store.read(keys), *range(20))
    shards(store)[0].write_bytes(b"damaged")
    assert len(store.read(keys).position) == 19
    open_store(tmp_path).compact()
    assert len(shards(store)) == 1
    assert len(store.read(keys).position) == 19


def test_rows_at_hand_survive_the_folder(tmp_path: Path) -> None:
    """A cache that was deleted is empty, and is written again."""
    store = twenty_shards(tmp_path)
    assert_rows(store.read(["key1"]), 1)
    shutil.rmtree(store.folder)
    assert store.read(["key1"]).position == {}
