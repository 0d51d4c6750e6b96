"""Tests of what is to be recognised: files, folders, patterns, tables and lists."""

from __future__ import annotations

import glob
import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from speechnet.core.errors import DataError
from speechnet.inference.inputs import gather


def _tree(root: Path, *names: str) -> Path:
    """Files of these names; what is in them doesn't matter here."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _names(*given: str | Path, manifest: Path | None = None) -> list[str]:
    return [recording.name for recording in gather(given, manifest)[0]]


def test_order_and_names(here: Path) -> None:
    """Names are as given, in the order given, each once; a folder's are sorted behind its own."""
    _tree(here, "b.wav", "a.wav", "rec/2.flac", "rec/1.wav", "rec/notes.txt", "rec/.hidden.wav")
    assert _names("b.wav", "rec", "a.wav", "./b.wav", "rec/1.wav", "none.wav") == [
        "b.wav",
        "rec/1.wav",
        "rec/2.flac",
        "a.wav",
        "none.wav",
    ]
    recordings, notes = gather(["b.wav", here / "rec"])
    assert [recording.path for recording in recordings] == [
        str(here / name) for name in ("b.wav", "rec/1.wav", "rec/2.flac")
    ]
    assert all(recording.whole for recording in recordings)
    assert notes == []


def test_links_that_lead_astray_keep_their_place(here: Path) -> None:
    """They are refused where they would have stood."""
    _tree(here, "rec/a.wav", "rec/c.wav", "far/x.wav")
    (here / "rec" / "b.wav").symlink_to(here / "far" / "x.wav")
    recordings, _ = gather(["rec"])
    assert [r.name for r in recordings] == ["rec/a.wav", "rec/b.wav", "rec/c.wav"]
    assert [r.refused.reason if r.refused else "" for r in recordings] == ["", "outside_root", ""]


def test_an_empty_folder_is_named(here: Path) -> None:
    """Beside others it is a remark, by itself an error."""
    _tree(here, "a.wav", "empty/notes.txt")
    recordings, notes = gather(["a.wav", "empty"])
    assert [r.name for r in recordings] == ["a.wav"]
    assert [note.partition(" (")[0] for note in notes] == ["empty holds no audio files"]
    with pytest.raises(DataError, match=r"no audio files \(.*\) in empty"):
        gather(["empty"])


@pytest.mark.parametrize(
    "pattern", ["*.wav", "rec/*.wav", "rec/**/*.wav", "**/*.flac", "rec/[0-1].*", "r?c/x/*", "**"]
)
def test_patterns(here: Path, pattern: str) -> None:
    """The same files as Python's glob finds, sorted; folders among them are searched."""
    _tree(
        here, "a.wav", "rec/1.wav", "rec/x/2.flac", "rec/x/y/3.wav", "rec/.git/4.wav", "other/5.wav"
    )
    _tree(here, ".hidden.wav", "rec/x/.6.flac")
    found = {
        os.path.relpath(path)
        for match in glob.glob(pattern, recursive=True)  # noqa: PTH207 - another way to match
        for path in (Path(match).rglob("*.*") if Path(match).is_dir() else [Path(match)])
        if path.is_file() and not any(part.startswith(".") for part in path.parts)
    }
    assert found
    assert sorted(_names(pattern)) == sorted(found)
    assert sorted(_names(str(here / pattern))) == sorted(str(here / name) for name in found)


def test_hidden_files_match_when_asked_for(here: Path) -> None:
    """As in a shell, a dot must be given as one."""
    _tree(here, ".git/1.wav", ".git/.2.wav", "rec/3.wav")
    assert _names(".git/*.wav") == [".git/1.wav"]
    assert _names(".*/.*.wav") == [".git/.2.wav"]
    (here / "sub").mkdir()
    os.chdir(here / "sub")
    assert _names("../r*/*.wav") == ["../rec/3.wav"]


def test_patterns_do_not_go_round_in_circles(here: Path) -> None:
    """Two links back to their own folder would have 2 to the 40 paths."""
    _tree(here, "rec/a.wav")
    for name in ("one", "two"):
        (here / "rec" / name).symlink_to(here / "rec", target_is_directory=True)
    assert _names("rec/**/*.wav") == ["rec/a.wav"]


def test_a_name_that_looks_like_a_pattern(here: Path) -> None:
    """What is there as it stands isn't a pattern; what a pattern misses is an error at once."""
    _tree(here, "take [1]*.wav", "take 1.wav")
    assert _names("take [1]*.wav") == ["take [1]*.wav"]
    with pytest.raises(DataError, match=r"nothing matches the pattern 'none/\*\.wav'"):
        gather(["take 1.wav", "none/*.wav"])
    with pytest.raises(DataError, match=r"'a\*\*b' isn't a pattern"):
        gather(["a**b"])


def test_table(here: Path) -> None:
    """Paths are relative to the table's folder, names as it has them, parts with their times."""
    _tree(here, "lists/a.wav", "lists/b.wav", "lists/sub/c.wav", "b.wav")
    table = here / "lists" / "x.csv"
    table.write_text(
        "who;file;start;end\nx;b.wav;;\n\ny;a.wav;1.5;3\nz;a.wav;;0.25\nz;a.wav;2;\ny;a.wav;1.5;3\n"
        f"z;{here}/b.wav;;\nz;sub;;\n"
    )
    recordings, _ = gather([], table)
    assert [r.name for r in recordings] == [
        "b.wav",
        "a.wav#t=1.5,3",
        "a.wav#t=,0.25",
        "a.wav#t=2",
        f"{here}/b.wav",
        "sub/c.wav",
    ]
    assert recordings[1].path == str(here / "lists" / "a.wav")
    assert (recordings[1].start, recordings[1].end, recordings[1].whole) == (1.5, 3.0, False)
    assert recordings[4].path == str(here / "b.wav")


def test_one_name_for_two_files(here: Path) -> None:
    """A table's file that is called as another one from here goes by its whole path."""
    _tree(here, "lists/b.wav", "b.wav")
    (here / "lists" / "x.csv").write_text("file\nb.wav\n")
    recordings, _ = gather(["b.wav"], Path("lists/x.csv"))
    assert [r.name for r in recordings] == ["b.wav", f"{here}/lists/b.wav"]
    assert [r.path for r in recordings] == [f"{here}/b.wav", f"{here}/lists/b.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\n", "has no rows"),
        (
            "files,start\na.wav,1\n",
            r"no column 'file' \(did you mean 'files'\?\); it has files, st",
        ),
        ("file,start\na.wav,\n,2\n", "line 3: file is empty"),
        ("file,start\na.wav,soon\n", "line 2: start isn't a number of seconds"),
        ("file,start,end\na.wav,2,1\n", "line 2: start must be at least 0 and lie before end"),
        ("file,end\na.wav,0\n", "line 2: start must be at least 0"),
        ("file,start\na.wav,-1\n", "line 2: start must be at least 0"),
        ("file,start\na.wav,1e999\n", "line 2: start isn't a number"),
    ],
)
def test_faulty_tables(here: Path, text: str, message: str) -> None:
    """The line is named, and what was expected."""
    (here / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        gather([], Path("x.csv"))


def test_list(here: Path) -> None:
    """A path on each line, whoever wrote it; neither patterns nor commas mean anything."""
    odd = os.fsdecode(b"latin\xe4.wav")
    _tree(here, "lists/a, b.wav", "lists/rec/c.wav", "lists/*.wav", f"lists/{odd}")
    lines = [b"\xef\xbb\xbfa, b.wav\r\n", b"\r\n", b"rec\r\n", b"*.wav\r\n", b"latin\xe4.wav"]
    (here / "lists" / "x.txt").write_bytes(b"".join(lines))
    recordings, _ = gather([], Path("lists/x.txt"))
    assert [r.name for r in recordings] == ["a, b.wav", "rec/c.wav", "*.wav", r"latin\xe4.wav"]
    assert all(os.path.exists(r.path) for r in recordings)  # noqa: PTH110 - text as given


def test_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``find`` prints, with lines' ends or with zero bytes; a file called - is a path."""
    _tree(here, "a.wav", "new\nline.wav", "-")
    for given in (b"a.wav\nb.wav\n", b"a.wav\0b.wav\0"):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(given)))
        assert _names("-") == ["a.wav", "b.wav"]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"new\nline.wav\0")))
    assert _names("-", Path("-")) == [r"new\x0aline.wav", "-"]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\n \n")))
    with pytest.raises(DataError, match="the standard input names no recording"):
        gather(["-"])


def test_an_apostrophe_in_front(here: Path) -> None:
    """It belongs to the name, unless a recording is there only without it."""
    _tree(here, "'-a.wav", "-a.wav", "=b.wav")
    (here / "x.csv").write_text("file\n'-a.wav\n'=b.wav\n")
    recordings, _ = gather([], Path("x.csv"))
    assert [Path(r.path).name for r in recordings] == ["'-a.wav", "=b.wav"]


def test_faulty_lists(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is none, isn't there, is a recording or has no end."""
    (here / "x.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"x\.txt names no recording; expected a path on each line"):
        gather([], Path("x.txt"))
    (here / "x.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(DataError, match=r"x\.wav isn't text"):
        gather([], Path("x.wav"))
    for name in ("none.txt", "none.csv"):
        with pytest.raises(DataError, match=f"can't read .*{name}: No such file"):
            gather([], Path(name))
    monkeypatch.setattr("speechnet.inference.inputs.LARGEST", 10)
    (here / "x.txt").write_text("a.wav\nb.wav\n")
    with pytest.raises(DataError, match=r"can't read the list x\.txt: .*larger than 10 bytes"):
        gather([], Path("x.txt"))


def test_hostile_names(here: Path) -> None:
    """Names that no system call takes, or that steer a terminal, are names all the same."""
    (here / "x.csv").write_text('file\n"../../../etc/passwd"\n"\x1b[31mred.wav"\n=1+1.wav\n')
    assert _names(manifest=Path("x.csv")) == [
        "../../../etc/passwd",
        r"\x1b[31mred.wav",
        "=1+1.wav",
    ]
    assert _names("x" * 5000 + ".wav", "nul\0.wav") == ["x" * 5000 + ".wav", r"nul\x00.wav"]
