"""Which files are read again: real files, changed in all the ways that files change."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import probe
from speechnet.core.errors import Excluded
from speechnet.features.extraction import file_hashes as module
from speechnet.features.extraction.file_hashes import FileHashes, file_digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three files whose times lie an hour back."""
    root = tmp_path / "corpus"
    root.mkdir()
    for name in ("a", "b", "c"):
        (root / name).write_text(name * 100)
        age(root / name)
    return root


def age(path: Path) -> None:
    """The change time can't be set; time itself goes on for the module instead."""
    os.utime(path, (time.time() - 3_600,) * 2)


@pytest.fixture(autouse=True)
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns
    monkeypatch.setattr(module.time, "time_ns", lambda: now() + 3_600 * 10**9)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on."""
    names: list[str] = []

    def digest(path: Path) -> str:
        names.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(module, "file_digest", digest)
    return names


def look(root: Path, *names: str, verify: bool = False) -> dict[str, object]:
    known = FileHashes(root, cache_dir=root.parent / "cache", verify=verify)
    found = known.of(names or ("a", "b", "c"))
    known.keep()
    return {name: o if isinstance(o, Excluded) else o.digest for name, o in found.items()}


def test_the_digest_is_of_the_bytes(root: Path) -> None:
    """Name and time play no part."""
    (root / "copy").write_text("a" * 100)
    found = look(root, "a", "copy", "b")
    assert list(found) == ["a", "copy", "b"]
    assert found["a"] == found["copy"] != found["b"]
    assert found["a"] == file_digest(root / "a")
    assert len(str(found["a"])) == 32


def test_unchanged_files_are_read_once(root: Path, read: list[str]) -> None:
    """The second look reads none; a third with ``verify`` all."""
    first = look(root)
    assert sorted(read) == ["a", "b", "c"]
    read.clear()
    assert look(root) == first
    assert look(root, "c") == {"c": first["c"]}
    assert read == []
    assert look(root, verify=True) == first
    assert sorted(read) == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["content", "content and time", "inode", "touched", "longer"])
def test_a_changed_file_is_read_again(root: Path, read: list[str], change: str) -> None:
    """However it changed; only what changed is read."""
    before = look(root)
    seen = (root / "b").stat()
    read.clear()
    match change:
        case "content":
            (root / "b").write_text("x" * 100)
        case "content and time":  # the change time gives it away
            (root / "b").write_text("x" * 100)
            os.utime(root / "b", ns=(seen.st_atime_ns, seen.st_mtime_ns))
        case "inode":
            (root / "new").write_text("x" * 100)
            os.utime(root / "new", ns=(seen.st_atime_ns, seen.st_mtime_ns))
            (root / "new").replace(root / "b")
        case "touched":
            (root / "b").touch()
        case "longer":
            (root / "b").write_text("b" * 101)
    after = look(root)
    assert read == ["b"]
    assert (after["b"] == before["b"]) == (change == "touched")
    assert after == {**before, "b": file_digest(root / "b")}
    read.clear()
    assert look(root) == after
    assert read == []


def test_a_fresh_file_is_not_trusted(
    root: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change again within the resolution of its times."""
    monkeypatch.undo()
    monkeypatch.setattr(module, "file_digest", lambda path: read.append(path.name) or "0" * 32)
    look(root)
    look(root)
    assert sorted(read) == ["a", "a", "b", "b", "c", "c"]


def test_a_bad_file_costs_no_other(root: Path) -> None:
    """Each has its reason, the others their digests."""
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    found = look(root, "a", "gone", "pipe", "loop", "nul\0")
    reasons = {path: o.reason for path, o in found.items() if isinstance(o, Excluded)}
    assert reasons == {
        "gone": "missing",
        "pipe": "unreadable",
        "loop": "unreadable",
        "nul\0": "unreadable",
    }
    assert found["a"] == file_digest(root / "a")


def test_names_need_not_be_text(root: Path, read: list[str]) -> None:
    """A name that is no UTF-8 is remembered as well."""
    name = os.fsdecode(b"\xff.wav")
    (root / name).write_text("x")
    first = look(root, name)
    read.clear()
    assert look(root, name) == first
    assert read == []


def test_folders_do_not_mix(root: Path, read: list[str], tmp_path: Path) -> None:
    """The same name in another folder is another file."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "a").write_text("other")
    first = look(root, "a")
    assert look(other, "a") != first
    read.clear()
    assert look(root, "a") == first
    assert read == []


@pytest.mark.parametrize("damage", ["bit", "cut", "text", "columns"])
def test_a_damaged_memory_is_made_anew(
    root: Path, read: list[str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, reads the files, and remembers them again."""
    first = look(root)
    (path,) = (root.parent / "cache" / "digests").iterdir()
    data = bytearray(path.read_bytes())
    match damage:
        case "bit":
            data[len(data) // 8] ^= 1
        case "cut":
            data = data[:-9]
        case "text":
            data = bytearray(b"not a table")
        case "columns":
            module.pq.write_table(module.pa.table({"path": ["a"]}), path)
            data = bytearray(path.read_bytes())
    path.write_bytes(data)
    read.clear()
    assert look(root) == first
    assert sorted(read) == ["a", "b", "c"]
    assert "damaged and made again" in caplog.text
    read.clear()
    assert look(root) == first
    assert read == []


def test_others_of_the_folder_are_remembered(root: Path, read: list[str]) -> None:
    """A look at one file forgets nothing of the others, but what would be too much."""
    first = look(root)
    (root / "b").write_text("longer than before" * 10)
    look(root, "b")
    read.clear()
    assert look(root) == {**first, "b": file_digest(root / "b")}
    assert read == []


@pytest.mark.parametrize("change", ["none", "touched", "content", "gone"])
def test_whether_a_file_still_holds_it(root: Path, read: list[str], change: str) -> None:
    """Told by its state; it is read only where that has changed."""
    content = FileHashes(root, cache_dir=root.parent / "cache").of(["a"])["a"]
    assert not isinstance(content, Excluded)
    read.clear()
    match change:
        case "touched":
            (root / "a").touch()
        case "content":
            (root / "a").write_text("x" * 100)
        case "gone":
            (root / "a").unlink()
    if change == "gone":
        with pytest.raises(FileNotFoundError):
            content.still_in(root / "a")
    else:
        assert content.still_in(root / "a") == (change != "content")
        assert bool(read) == (change != "none")


def test_nowhere_to_keep_it(root: Path, read: list[str]) -> None:
    """Then files are read each time, and nothing else is wrong."""
    (root.parent / "cache").write_text("in the way")
    assert look(root) == look(root)
    assert sorted(read) == ["a", "a", "b", "b", "c", "c"]


def test_a_large_file_is_looked_into_before_it_is_hashed(root: Path, read: list[str]) -> None:
    """What its header rules out, such as 8 TB of nothing, is not read; a small file isn't asked."""
    for name, size in (("void", 2**43), ("endless", 2**43), ("large", 2**26 + 1)):
        with (root / name).open("wb") as file:
            file.truncate(size)
    soundfile.write(root / "x.wav", np.zeros(0), 8_000)
    with (root / "endless").open("r+b") as file:
        file.write((root / "x.wav").read_bytes()[:40] + b"\xff" * 4)
    asked = []

    def look_into(path: str) -> None:
        asked.append(path)
        if path != "large":
            probe(root / path, AudioConfig(), whole=True)

    names = ["void", "endless", "large", "a"]
    found = FileHashes(root, cache_dir=root.parent / "cache").of(names, probe=look_into)
    assert sorted(asked) == ["endless", "large", "void"]
    assert sorted(read) == ["a", "large"]
    whys = [o.reason for o in found.values() if isinstance(o, Excluded)]
    assert whys == ["unreadable", "too_long"]
    with pytest.raises(Excluded, match="too_large"):
        probe(root / "endless", AudioConfig(), whole=False)
