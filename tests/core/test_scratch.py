"""Tests of temporary folders that a killed process doesn't leave behind for good."""

import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from speechnet.core import scratch


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_SHARED", tmp_path / "none")
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    scratch._make.cache_clear()
    yield tmp_path
    scratch._make.cache_clear()


def test_what_the_dead_left_is_removed(place: Path) -> None:
    """Those whose lock is free, and of this user; nobody else's and nothing else."""
    dead, held, new, old = (place / f"speechnet-1-{name * 8}" for name in "dhno")
    other, theirs = place / "speechnet-notes", place / "joblib_1"
    for folder in (dead, held, new, old, other, theirs):
        (folder / "x").mkdir(parents=True)
    for folder in (dead, held):
        (folder / "lock").touch()
    os.utime(old, (0, 0))
    link = place / "speechnet-1-llllllll"
    link.symlink_to(other)
    with filelock.FileLock(held / "lock"):
        mine = scratch.own_folder()
    assert not dead.exists()
    assert not old.exists()
    assert all((folder / "x").exists() for folder in (held, new, other, theirs))
    assert link.is_symlink()
    assert scratch.shared_folder() == mine
    with scratch.temporary_folder() as name:
        assert Path(name).parent == mine
    assert list(mine.iterdir()) == [mine / "lock"]


def test_a_killed_process(place: Path) -> None:
    """Its folder outlives it, but not the next start; a process that ends takes its own along."""
    code = (
        "from speechnet.core.scratch import own_folder; import sys; "
        "print(own_folder(), flush=True); {}"
    )
    environment = os.environ | {"TMPDIR": str(place)}
    killed = subprocess.Popen(
        [sys.executable, "-c", code.format("sys.stdin.read()")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    with killed:
        left = Path(killed.stdout.readline().strip())
        ended = subprocess.run(
            [sys.executable, "-c", code.format("")],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        assert left.exists()
        killed.kill()
    assert left.exists()
    assert not Path(ended.stdout.strip()).exists()
    scratch.own_folder()
    assert not left.exists()


def test_a_place_that_is_not_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made; where it can't be, the system's is taken."""
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(place / "not" / "yet"))
    assert scratch.shared_folder().parent == place / "not" / "yet"
    (place / "file").touch()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(place / "file" / "below"))
    assert scratch.shared_folder() == scratch.own_folder()
