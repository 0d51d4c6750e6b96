"""From files to the matrix: faults, caches, processes that die, in real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import faults

from speechnet.audio.config import AudioConfig
from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.core import clip_batches
from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.types import Float32
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction import extract, outcomes
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Extractor, Sound
from speechnet.features.functionals import Functionals

pytestmark = pytest.mark.slow

CHEAP = Functionals(preset=None, include={"mfcc": ["mean"], "zero_crossings": ["count"]})
RECIPE = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"functionals": CHEAP})


def table_of(files: list[str]) -> pd.DataFrame:
    """A corpus table as discovery makes it: printable ids, raw paths."""
    ids = [ascii(name)[1:-1] for name in files]
    table = pd.DataFrame(None, index=pd.Index(ids, name="file"), columns=[*CORPUS_COLUMNS])
    table["path"] = pd.Series(files, index=table.index, dtype=object)
    return table.assign(start=np.nan, end=np.nan)


def write_corpus(root: Path, count: int, seconds: float = 0.4) -> list[str]:
    root.mkdir(exist_ok=True)
    names = [f"{i:03d}.wav" for i in range(count)]
    for i, name in enumerate(names):
        soundfile.write(root / name, faults.speech(i, seconds), faults.RATE)
    return names


def run(
    root: Path, files: list[str], recipe: Recipe = RECIPE, *, n_jobs: int = 1, **options: bool
) -> Extraction:
    with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
        return extract_features(
            root, table_of(files), recipe, cache_dir=root.parent / "cache", **options
        )


def reasons(extraction: Extraction) -> dict[str, str]:
    return dict(zip(extraction.excluded["file"], extraction.excluded["reason"], strict=True))


def test_each_fault_is_excluded_for_its_own_reason(tmp_path: Path) -> None:
    """A folder of all faults among good files: each file in exactly one of the two tables."""
    root = tmp_path / "corpus"
    root.mkdir()
    expected = faults.write_faults(root)
    (root / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(root / "pipe.wav")
    (root / "locked.wav").write_bytes(faults.encoded(faults.speech(60), "WAV"))
    (root / "locked.wav").chmod(0)
    expected |= {"loop.wav": "unreadable", "pipe.wav": "unreadable", "gone.wav": "missing"}
    expected["locked.wav"] = "unreadable" if os.getuid() else None
    recipe = Recipe(
        AudioConfig(max_samples=faults.MAX_SAMPLES, max_duration=None),
        DenoiseConfig(method="none"),
        {"functionals": Functionals(preset="original")},
    )
    result = run(root, list(expected), recipe, n_jobs=2)
    ids = dict(zip(expected, table_of(list(expected)).index, strict=True))
    bad = {ids[name]: reason for name, reason in expected.items() if reason}
    assert reasons(result) == bad
    assert list(result.features.matrix.index) == [
        i for name, i in ids.items() if not expected[name]
    ]
    assert np.isfinite(result.features.matrix.X).all()
    assert result.excluded["detail"].str.len().min() > 5
    assert list(result.statistics.index) == list(result.features.matrix.index)
    assert result.statistics.loc["offset.wav", "dc"] == pytest.approx(0.5, abs=0.01)
    assert result.statistics.loc["clipped.wav", "clipped"] > 0.05
    # What was measured comes back from the cache as it was, and what was refused is again; only
    # what may be mended by now is tried again.
    again = run(root, list(expected), recipe)
    assert again.computed == sum(reason == "unreadable" for reason in expected.values()) - 2
    np.testing.assert_array_equal(again.features.matrix.X, result.features.matrix.X)
    pd.testing.assert_frame_equal(again.statistics, result.statistics)
    pd.testing.assert_frame_equal(again.excluded, result.excluded)


def test_the_cache_spares_the_computation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no file is even decoded; renamed and copied files are known, too."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 5)
    first = run(root, files)
    assert first.computed == 5
    (root / "000.wav").rename(root / "renamed.wav")
    monkeypatch.setattr(outcomes, "load_at_rates", None)
    files[0] = "renamed.wav"
    second = run(root, files)
    assert second.computed == 0
    np.testing.assert_array_equal(second.features.matrix.X, first.features.matrix.X)
    assert list(second.features.matrix.index) == files


def test_a_changed_file_is_computed_anew(tmp_path: Path) -> None:
    """By its content: the same name, size and time deceive nobody."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 3)
    before = run(root, files)
    times = (root / "001.wav").stat()
    soundfile.write(root / "001.wav", faults.speech(77, 0.4), faults.RATE)
    os.utime(root / "001.wav", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = run(root, files)
    assert after.computed == 1
    changed = (before.features.matrix.X != after.features.matrix.X).any(axis=1)
    assert changed.tolist() == [False, True, False]


def test_parts_of_a_recording_are_rows(tmp_path: Path) -> None:
    """``start`` and ``end`` in seconds, NaN to the end; each has the row of the part cut out."""
    root = tmp_path / "corpus"
    root.mkdir()
    y = faults.speech(0, 3)
    soundfile.write(root / "long.wav", y, faults.RATE, subtype="FLOAT")
    soundfile.write(root / "middle.wav", y[faults.RATE : 2 * faults.RATE], faults.RATE, "FLOAT")
    soundfile.write(root / "end.wav", y[2 * faults.RATE :], faults.RATE, "FLOAT")
    table = table_of(["long.wav", "long.wav", "long.wav", "long.wav", "middle.wav", "end.wav"])
    table.index = pd.Index(["whole", "part 1", "part 2", "beyond", "cut 1", "cut 2"], name="file")
    table["start"] = [np.nan, 1.0, 2.0, 2.5, np.nan, np.nan]
    table["end"] = [np.nan, 2.0, np.nan, 3.5, np.nan, np.nan]
    result = extract_features(
        root, table, RECIPE, cache_dir=tmp_path / "cache", keep_duplicates=True
    )
    assert reasons(result) == {"beyond": "truncated"}
    row = dict(zip(result.features.matrix.index, result.features.matrix.X, strict=True))
    np.testing.assert_array_equal(row["part 1"], row["cut 1"])
    np.testing.assert_array_equal(row["part 2"], row["cut 2"])
    assert (row["whole"] != row["part 1"]).all()
    assert result.statistics["duration"].tolist() == pytest.approx([3, 1, 1, 1, 1])


def test_duplicates_are_excluded_or_kept(tmp_path: Path) -> None:
    """Of the same samples the first in the table stays, whatever container they are in."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 2)
    (root / "copy.wav").write_bytes((root / "000.wav").read_bytes())
    y, rate = soundfile.read(root / "001.wav", dtype="int16")
    soundfile.write(root / "again.flac", y, rate)
    files += ["copy.wav", "again.flac"]
    result = run(root, files)
    assert reasons(result) == {"copy.wav": "duplicate", "again.flac": "duplicate"}
    assert result.excluded["detail"].tolist() == [
        "the same samples as 001.wav",
        "the same samples as 000.wav",
    ]
    assert result.computed == 3  # the copy's bytes are known
    kept = run(root, files, keep_duplicates=True)
    assert list(kept.features.matrix.index) == files
    np.testing.assert_array_equal(kept.features.matrix.X[:2], kept.features.matrix.X[2:])


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    """One, two, or threads: the same bits in the same order."""
    recipe = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"functionals": Functionals()})
    results = []
    for i, (backend, n_jobs) in enumerate([("loky", 1), ("loky", 2), ("threading", 2)]):
        root = tmp_path / str(i) / "corpus"
        root.parent.mkdir()
        files = write_corpus(root, 9)
        with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
            results.append(
                extract_features(root, table_of(files), recipe, cache_dir=root.parent / "cache")
            )
    for result in results[1:]:
        assert result.features.matrix.index == results[0].features.matrix.index
        np.testing.assert_array_equal(result.features.matrix.X, results[0].features.matrix.X)
        pd.testing.assert_frame_equal(result.statistics, results[0].statistics)


def _on_a_gpu(clips: list[np.ndarray], compute: Callable[..., object], device: str) -> object:
    """A GPU's way of working, on the CPU."""
    if device == "cuda" and any(len(clip) == 2 * faults.RATE for clip in clips):
        raise RuntimeError("a clip that this device can't take")
    return _REAL_APPLY(clips, compute, "cpu")  # type: ignore[arg-type]


_REAL_APPLY = clip_batches._apply


@pytest.mark.parametrize(("ahead", "portion"), [(1, 1), (2**26, 30_000), (2**26, 2**29)])
def test_a_gpu_is_fed_by_processes_that_decode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int, portion: int
) -> None:
    """The same rows as without one; what can't be decoded or computed costs no other file."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 12, 0.4)
    alone = run(root, files, RECIPE)
    soundfile.write(root / "bad.wav", faults.speech(80, 2.0), faults.RATE)
    (root / "empty.wav").touch()
    monkeypatch.setattr(outcomes, "_AHEAD", ahead)
    monkeypatch.setattr(outcomes, "_PORTION", portion)
    monkeypatch.setattr(extract, "choose_device", lambda *_: "cuda")
    monkeypatch.setattr(clip_batches, "_apply", _on_a_gpu)
    (tmp_path / "other").mkdir()
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = extract_features(
            root, table_of([*files, "bad.wav", "empty.wav"]), RECIPE,
            cache_dir=tmp_path / "other", device="cuda",
        )  # fmt: skip
    assert reasons(found) == {"bad.wav": "failed", "empty.wav": "unreadable"}
    assert "can't take" in found.excluded.set_index("file").loc["bad.wav", "detail"]
    assert found.features.matrix.index == alone.features.matrix.index
    np.testing.assert_allclose(
        found.features.matrix.X, alone.features.matrix.X, rtol=1e-4, atol=1e-4
    )


def _refuse(path: Path, *rest: object, real: Callable[..., object], **part: float) -> object:
    if path.stem == "003":
        raise RuntimeError("something new")
    return real(path, *rest, **part)


def test_an_unexpected_error_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kind and words stand in excluded.csv."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 5)
    monkeypatch.setattr(outcomes, "load_at_rates", partial(_refuse, real=outcomes.load_at_rates))
    result = run(root, files)
    assert reasons(result) == {"003.wav": "failed"}
    assert result.excluded["detail"].tolist() == ["RuntimeError: something new"]
    assert len(result.features.matrix.X) == 4


def test_a_recipe_is_rehearsed_once_for_all_files_that_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another recipe is rehearsed anew."""
    rehearsed: list[Recipe] = []
    monkeypatch.setattr(outcomes, "_sound", [])
    monkeypatch.setattr(outcomes, "rehearse", rehearsed.append)
    for _ in range(3):  # a worker process reads a recipe of its own
        recipe = Recipe(AudioConfig(), DenoiseConfig(method="none"), {"functionals": CHEAP})
        assert outcomes._failed(RuntimeError("x"), recipe).reason == "failed"
    assert len(rehearsed) == 1
    other = Recipe(AudioConfig(sample_rate=8_000), recipe.denoise, recipe.extractors)
    outcomes._failed(RuntimeError("x"), other)
    assert len(rehearsed) == 2


@pytest.mark.parametrize("change", ["other samples", "half copied"])
def test_a_file_that_changes_while_it_is_read_is_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Its row, or its refusal, would stand under the hash of other bytes; next time it is whole."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 2)
    whole = (root / "001.wav").read_bytes()
    real = outcomes.load_at_rates

    def meddle(path: Path, *arguments: object, **parts: float) -> object:
        other = faults.encoded(faults.speech(9, 0.4), "WAV")
        (root / "001.wav").write_bytes(other if change == "other samples" else whole[:9_000])
        return real(path, *arguments, **parts)  # type: ignore[arg-type]

    monkeypatch.setattr(outcomes, "load_at_rates", meddle)
    result = run(root, files)
    assert result.excluded["detail"].tolist() == ["the file changed while it was being read"]
    monkeypatch.undo()
    (root / "001.wav").write_bytes(whole)
    again = run(root, files)
    assert (again.computed, len(again.excluded)) == (1, 0)


def test_nothing_usable_is_an_empty_matrix(tmp_path: Path) -> None:
    """With all its columns, and everything in excluded.csv."""
    (tmp_path / "corpus").mkdir()
    result = run(tmp_path / "corpus", ["a.wav", "b.wav"])
    assert result.features.matrix.X.shape == (0, len(CHEAP.columns))
    assert result.statistics.columns.tolist() == list(SignalStatistics.__dataclass_fields__)
    assert reasons(result) == {"a.wav": "missing", "b.wav": "missing"}


def _kill(path: Path, *rest: object, real: Callable[..., object], **part: float) -> object:
    if path.stem == "007":
        with path.with_name("deaths").open("a") as log:
            log.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *rest, **part)


def _poisoned(task: object, **settings: object) -> object:
    """Runs in a worker: as the real thing, with a decoder that one file is fatal to."""
    outcomes.load_at_rates = partial(_kill, real=_REAL_LOAD)
    return _REAL_WORK(task, **settings)  # type: ignore[arg-type]


_REAL_WORK, _REAL_LOAD = outcomes._work, outcomes.load_at_rates


@pytest.mark.filterwarnings("ignore:A worker stopped while some jobs:UserWarning")
def test_a_file_that_kills_its_worker_is_excluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real process really killed, twice by the same file; all others have their rows."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 20)
    monkeypatch.setattr(outcomes, "_work", _poisoned)
    result = run(root, files, n_jobs=2)
    assert reasons(result) == {"007.wav": "worker_died"}
    assert (root / "deaths").read_text() == "xx"
    assert list(result.features.matrix.index) == [name for name in files if name != "007.wav"]


# Behind the killed ones: an error ends the processes, too, and the next would start again.
@pytest.mark.parametrize(
    ("n_jobs", "recipe", "match"),
    [
        (2, Recipe(AudioConfig(sample_rate=8_000), DenoiseConfig(method="none"),
                   {"functionals": Functionals(contrast_bands=6)}),
         r"sample_rate \(8000 Hz\).*don't go together"),
        (1, Recipe(AudioConfig(), DenoiseConfig(freq_mask_smooth_hz=5), {"functionals": CHEAP}),
         "smoothed over 5 Hz and 50 ms, expected at least 43.07 Hz"),
    ],
)  # fmt: skip
def test_a_recipe_that_can_t_work_is_not_blamed_on_the_files(
    tmp_path: Path, n_jobs: int, recipe: Recipe, match: str
) -> None:
    """At the first file, instead of a table full of ``failed``; from a worker process too."""
    root = tmp_path / "corpus"
    files = write_corpus(root, 3, 1.0)
    with pytest.raises(ConfigError, match=match):
        run(root, files, recipe, n_jobs=n_jobs)


RUN = """
import sys
from pathlib import Path
import joblib
from speechnet.features.extraction import extract
from speechnet.features.extraction.extract import extract_features
from test_extract import RECIPE, table_of
extract._FLUSH_S = 0  # a shard for each batch
root, table = Path(sys.argv[1]), table_of(sys.argv[2].split(","))
# What is left of the processes when this one is killed goes after so many idle seconds.
with joblib.parallel_config(backend="loky", n_jobs=int(sys.argv[3]), idle_worker_timeout=3):
    extract_features(root, table, RECIPE, cache_dir=root.parent / "cache")
"""


def test_a_killed_run_is_taken_up_again(tmp_path: Path) -> None:
    """``kill -9`` at several moments: nothing written is computed twice, the matrix is the same.

    Bit for bit that of a run in one process that nobody disturbed. Once the process that is killed
    leaves others behind, once it is alone.
    """
    root = tmp_path / "a" / "corpus"
    root.parent.mkdir()
    files = write_corpus(root, 60)
    words = [sys.executable, "-c", RUN, str(root), ",".join(files)]
    here = Path(__file__).parent
    environment = dict(os.environ, PYTHONPATH=f"{here}{os.pathsep}{here.parents[1]}")
    kept = 0
    for shards, n_jobs in ((1, 2), (4, 1)):
        with subprocess.Popen([*words, str(n_jobs)], env=environment) as process:
            deadline = time.monotonic() + 240
            while _shards(root) < shards and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.kill()
        assert _rows(root) >= kept
        kept = _rows(root)
    assert 0 < kept < 60
    result = run(root, files)
    assert result.computed == 60 - kept
    undisturbed = tmp_path / "b" / "corpus"
    undisturbed.parent.mkdir()
    expected = run(undisturbed, write_corpus(undisturbed, 60))
    assert expected.computed == 60
    np.testing.assert_array_equal(result.features.matrix.X, expected.features.matrix.X)
    pd.testing.assert_frame_equal(result.statistics, expected.statistics)


def _shards(root: Path) -> int:
    return len(list(root.parent.glob("cache/features/*/*.parquet")))


def _rows(root: Path) -> int:
    return sum(len(pd.read_parquet(p)) for p in root.parent.glob("cache/features/*/*.parquet"))


@dataclass
class Chosen(Extractor):
    """Of three numbers in half precision one is a column."""

    place: int = 0

    stored_type: ClassVar[Literal["float32", "float16"]] = "float16"
    stored = 3
    columns = ("chosen",)

    def extract(self, clips: Sequence[Float32], _: Sound) -> list[Float32 | Excluded]:
        # The third number of the first clip is beyond what half precision can hold.
        return [np.array([len(y) / 1e5, 3.0, 2.0 * len(y)], np.float32) for y in clips]

    def choose(self, rows: Float32) -> Float32:
        return rows[:, [self.place]]

    def fingerprint(self, sample_rate: int) -> dict[str, object]:
        return {"code": sample_rate}


def test_what_settings_choose_among_is_computed_once(tmp_path: Path) -> None:
    """A row with a number beyond half precision is set aside, and the number is named."""
    root = tmp_path / "corpus"
    files = [*write_corpus(root, 1, seconds=2.0), "short.wav"]
    soundfile.write(root / "short.wav", faults.speech(9, 0.5), faults.RATE)

    def found(place: int) -> Extraction:
        chosen = Chosen(place)
        return run(root, files, Recipe(AudioConfig(), DenoiseConfig(method="none"), {"c": chosen}))

    first, second = found(0), found(1)
    assert (first.computed, second.computed) == (2, 0)
    assert first.index == ("short.wav",)
    assert first.excluded["detail"].tolist() == ["not finite: number 2"]
    expected = np.float32(np.float16(0.5 * faults.RATE / 1e5))
    assert first.features.matrix.X.tolist() == [[expected]]
    assert second.features.matrix.X.tolist() == [[3.0]]
