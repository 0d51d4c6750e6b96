"""Files are written whole or not at all, and caches have a place to be."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechnet import files
from speechnet.errors import StorageError


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    """Nothing but the file is left in the folder."""
    path = tmp_path / "x.csv"
    files.write_whole(path, b"one")
    files.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it fails, the old content stays and the temporary file goes."""
    path = tmp_path / "x.csv"
    files.write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(*((files.os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="no space"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_old_temporary_files_are_removed(tmp_path: Path) -> None:
    """In subfolders too; a young one may belong to a living process, others are no one's."""
    (tmp_path / "sub").mkdir()
    old, young, other = tmp_path / "sub" / ".a.tmp", tmp_path / ".b.tmp", tmp_path / "c.tmp"
    for path in (old, young, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    files.remove_abandoned(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert other.exists()


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (errno.ENOSPC, "no space left to write x.csv; free some"),
        (errno.EDQUOT, "no space left"),
        (errno.EACCES, "no permission to write x.csv"),
        (errno.EPERM, "no permission"),
        (errno.EROFS, "no permission"),
    ],
)
def test_storage_errors_say_what_to_do(code: int, match: str) -> None:
    """A full disk and a missing permission are told apart."""
    with pytest.raises(StorageError, match=match), files.storage_errors(Path("x.csv")):
        raise OSError(code, os.strerror(code))


def test_other_errors_pass_unchanged() -> None:
    """An error of another kind is not called a storage error."""
    with pytest.raises(IsADirectoryError), files.storage_errors(Path("x")):
        raise IsADirectoryError(errno.EISDIR, "is a directory")


UNWRITABLE = """
import os, sys, tempfile
free, access, make = tempfile.gettempdir(), os.access, tempfile.TemporaryFile
def refuse(*args, dir=None, **kwargs):
    if dir and not str(dir).startswith(free):
        raise PermissionError(dir)
    return make(*args, dir=dir, **kwargs)
# Nothing can be written but the system's temporary folder.
os.access = lambda path, mode: str(path).startswith(free) and access(path, mode)
tempfile.TemporaryFile = refuse
if sys.argv[1] == "with":
    from speechnet.files import usable_caches
    usable_caches()
from compiled import double
print(double(4), os.environ["NUMBA_CACHE_DIR"])
"""

COMPILED = """
import numba
@numba.njit(cache=True)  # as librosa's functions are
def double(x):
    return 2 * x
"""


def test_compiled_code_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Numba refuses without a folder for its cache; it is given one that is removed again."""
    (tmp_path / "site").mkdir()
    (tmp_path / "free").mkdir()
    (tmp_path / "site" / "compiled.py").write_text(COMPILED)
    environment = dict(os.environ, PYTHONPATH=str(tmp_path / "site"), TMPDIR=str(tmp_path / "free"))
    environment.pop("NUMBA_CACHE_DIR", None)

    def run(word: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", UNWRITABLE, word]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert "cannot cache function" in run("without").stderr
    done = run("with")
    assert done.returncode == 0, done.stderr
    assert "code is compiled anew" in done.stderr
    answer, folder = done.stdout.split()
    assert answer == "8"
    assert not Path(folder).exists()


def test_a_cache_that_can_be_written_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One place is enough; one that the user chose is never changed."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet" / "made"))
    files.usable_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr(files, "_can_write", lambda _: False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "chosen")
    files.usable_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == "chosen"
