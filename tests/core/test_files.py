"""Files are written whole or not at all, and caches have a place to be."""

import errno
import os
from pathlib import Path

import pytest

from speechnet.core import files
from speechnet.core.errors import StorageError


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


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One spelling within, whatever was typed; below the current folder the short one in print."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert files.absolute("a b/c") == tmp_path / "a b" / "c"
    assert files.absolute(f"{tmp_path}/a b/c/") == tmp_path / "a b" / "c"
    assert files.absolute("~/c") == tmp_path / "home" / "c"
    assert files.shortened(f"{tmp_path}/a b/c and '{tmp_path}/d'") == "a b/c and 'd'"
    for text in (f"/mnt{tmp_path}/c", f"{tmp_path}-2/c", f"{tmp_path}", "a/b"):
        assert files.shortened(text) == text
    monkeypatch.chdir("/")
    assert files.shortened(f"{tmp_path}/c") == f"{tmp_path}/c"
