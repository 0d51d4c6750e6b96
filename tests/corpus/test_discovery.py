"""Finding audio files, on real file systems with hostile names and links."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.safe_text import printable
from speechnet.corpus.discovery import discover, resolve_root, without_ending


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root.resolve()


def test_endings_in_any_case(tmp_path: Path) -> None:
    """An ending counts in any letter case, other files don't, hidden ones neither."""
    root = touch(
        tmp_path,
        *("b.WAV", "a.flac", "c/d.Mp3", "c/e/f.oGG", "x.txt", "wav", "y.wav.txt"),
        *("._b.wav", ".h/i.wav", ".wav"),
    )
    assert list(discover(root).files) == ["a.flac", "b.WAV", "c/d.Mp3", "c/e/f.oGG"]


_OTHER_USES = {"RAW", "MAT4", "MAT5", "HTK", "SD2", "SVX", "SDS", "MPC2K", "XI", "WAVEX"}
"""libsndfile's formats whose files go by no ending that says sound, or by that of another one."""


@pytest.mark.parametrize("kind", sorted(set(soundfile.available_formats()) - _OTHER_USES))
def test_every_format_of_the_decoder(kind: str, tmp_path: Path) -> None:
    """What libsndfile writes under its format's name, or its usual ending, is found and read."""
    ending = {"NIST": "sph", "AIFF": "aif"}.get(kind, kind.lower())
    path = tmp_path / f"a.{ending}"
    rate = 8_000
    y = 0.3 * np.sin(np.arange(rate, dtype=np.float32))
    with path.open("wb+") as file:
        soundfile.write(file, y, rate, format=kind, subtype="PCM_16" if kind == "NIST" else None)
    (found,) = discover(tmp_path.resolve()).files.values()
    assert load(tmp_path / found, AudioConfig(sample_rate=rate)).sr == rate


def test_what_can_not_be_read_has_its_row(tmp_path: Path) -> None:
    """It looks like sound, so somebody misses it; but not where its twin can be read."""
    root = touch(tmp_path, "a.m4a", "b.AMR", "c.wav", "c.mp4", "d/c.mp4", "notes.txt")
    found = discover(root)
    assert list(found.files) == ["a.m4a", "b.AMR", "c.wav", "d/c.mp4"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("left out 1 file that can't be read, such as c.mp4")


def test_what_is_no_file_has_its_row(tmp_path: Path) -> None:
    """Pipes, sockets and folders that are called like recordings; nothing opens them."""
    root = touch(tmp_path, "a.wav", "set.wav/b.wav", "deep.wav/er/c.wav", "empty.wav.d/d.wav")
    os.mkfifo(root / "pipe.wav")
    (root / "empty.wav").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s.wav"))
        found = discover(root)
    assert list(found.files) == [
        *("a.wav", "deep.wav/er/c.wav", "empty.wav.d/d.wav", "set.wav/b.wav")
    ]
    assert [(file, reason, detail.split(",")[0]) for file, reason, detail in found.excluded] == [
        ("empty.wav", "unreadable", "a folder"),
        ("pipe.wav", "unreadable", "a named pipe"),
        ("s.wav", "unreadable", "a socket"),
    ]


def test_hostile_names(tmp_path: Path) -> None:
    """Spaces, Unicode, newlines and bytes that are no UTF-8 are found, each under its own id."""
    root = touch(tmp_path, "a b.wav", "é 语.wav", "line\nbreak.wav", "back\\slash.wav")
    (root / os.fsdecode(b"x\xe9.wav")).touch()
    files = discover(root).files
    assert list(files) == sorted(
        ["a b.wav", "é 语.wav", "line\\x0abreak.wav", "back\\\\slash.wav", "x\\xe9.wav"]
    )
    assert os.fsencode(files["x\\xe9.wav"]) == b"x\xe9.wav"
    assert all((root / path).is_file() for path in files.values())
    assert [file.encode("utf-8") for file in files]


@given(st.sets(st.binary(max_size=6).filter(lambda name: b"\0" not in name), max_size=8))
def test_printable_is_unique(names: set[bytes]) -> None:
    """No two names share an id, and every id is printable UTF-8."""
    ids = {printable(os.fsdecode(name)) for name in names}
    assert len(ids) == len(names)
    assert all(file.isprintable() and file.encode("utf-8") is not None for file in ids)


def test_links(tmp_path: Path) -> None:
    """A link to a file inside is followed, one that leads outside or nowhere is excluded."""
    outside = touch(tmp_path / "outside", "secret.wav", "folder/x.wav")
    root = touch(tmp_path / "root", "real.wav", "sub/y.wav")
    (root / "inner.wav").symlink_to("real.wav")
    (root / "leak.wav").symlink_to(outside / "secret.wav")
    (root / "leak").symlink_to(outside / "folder")
    (root / "again").symlink_to("sub")
    (root / "gone.wav").symlink_to("nothing.wav")
    (root / "self.wav").symlink_to("self.wav")
    (root / "sub" / "loop").symlink_to(root)
    (root / "text.txt").symlink_to(outside / "secret.wav")
    found = discover(root)
    assert list(found.files) == ["inner.wav", "real.wav", "sub/y.wav"]
    assert [row[:2] for row in found.excluded] == [
        ("gone.wav", "missing"),
        ("leak", "outside_root"),
        ("leak.wav", "outside_root"),
        ("self.wav", "missing"),
    ]


def test_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    """A folder whose name merely begins like the root's isn't below it."""
    touch(tmp_path / "root2", "x.wav")
    root = touch(tmp_path / "root", "a.wav")
    (root / "x.wav").symlink_to(tmp_path / "root2" / "x.wav")
    assert [row[1] for row in discover(root).excluded] == ["outside_root"]


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without permission becomes a note (the tests may run as root, who may read all)."""
    root = touch(tmp_path, "a.wav", "closed/b.wav")
    scandir = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(root)
    assert list(found.files) == ["a.wav"]
    assert found.notes == ("no permission to look into closed",)


def test_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root must be given and be a folder; a link to one is as good."""
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "real/a.wav")
    Path("link").symlink_to("real")
    assert resolve_root("link") == (tmp_path / "real").resolve()
    with pytest.raises(ConfigError, match=r"--data\.corpus\.root"):
        resolve_root(None)
    with pytest.raises(DataError, match=r"'nowhere' doesn't exist.*--data\.corpus\.root"):
        resolve_root("nowhere")
    with pytest.raises(DataError, match=r"'real/a\.wav' is a file"):
        resolve_root("real/a.wav")


def test_without_ending() -> None:
    """Only an audio ending is taken off."""
    assert [without_ending(name) for name in ("a.b.WAV", "a.b", "d.x/a.ogg", "a")] == [
        "a.b",
        "a.b",
        "d.x/a",
        "a",
    ]
