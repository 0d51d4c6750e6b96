"""Tests of reading YAML that holds plain values only."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechnet.core.errors import ConfigError
from speechnet.core.reading import plain_value, read_yaml


def _read(folder: Path, content: str | bytes) -> dict[str, object]:
    path = folder / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path)


def test_plain_values(tmp_path: Path) -> None:
    """Numbers, text, null, lists and mappings come as such; dates stay text, 1e-3 is a number."""
    read = _read(tmp_path, "{a: 1, b: 1e-3, c: null, d: [x, true], e: {f: 2020-01-02}, g: 1.5}")
    assert read == {
        "a": 1,
        "b": 0.001,
        "c": None,
        "d": ["x", True],
        "e": {"f": "2020-01-02"},
        "g": 1.5,
    }


def test_anchors_and_merges(tmp_path: Path) -> None:
    """A merged key isn't one given twice."""
    read = _read(tmp_path, "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n")
    assert read["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty, expected keys"),
        ("# only a comment\n", "is empty, expected keys"),
        ("hello\n", "holds 'hello', expected keys with values"),
        ("[1, 2]\n", "expected keys with values"),
        ("a: [1\n", r"isn't valid YAML: line 2, column 1: expected"),
        ("a:\n\tb: 1\n", "line 2, column 1: a tab, where only spaces are allowed"),
        ("a: {b: 1, c: 2, b: 3}\n", "line 1, column 17: the key 'b' occurs twice"),
        ("{[1]: 2}\n", r"the key \[1\] isn't plain text"),
        ("a: !!python/name:os.system\n", "the tag !!python/name:os.system isn't allowed"),
        ("a: !mine 3\n", "the tag !mine isn't allowed"),
        (b"a: \xff\n", r"isn't UTF-8 \(byte 3\)"),
        (b"a: \x00\n", "isn't valid YAML"),
    ],
)
def test_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    """What isn't a YAML of plain keys and values is refused, with the place."""
    with pytest.raises(ConfigError, match=message):
        _read(tmp_path, content)


def test_tags_are_not_executed(tmp_path: Path) -> None:
    """A tag that would call a function is refused without calling it."""
    trace = tmp_path / "executed"
    with pytest.raises(ConfigError, match="isn't allowed"):
        _read(tmp_path, f"a: !!python/object/apply:os.mkdir ['{trace}']\n")
    assert not trace.exists()


def test_missing_file(tmp_path: Path) -> None:
    """A misspelt name brings the nearest one; a folder isn't a file."""
    (tmp_path / "ravdess.yaml").touch()
    with pytest.raises(ConfigError, match=r"no file .*did you mean .*ravdess\.yaml"):
        read_yaml(tmp_path / "ravdes.yaml")
    with pytest.raises(ConfigError, match="nor a folder"):
        read_yaml(tmp_path / "none" / "ravdess.yaml")
    with pytest.raises(ConfigError, match="is a folder, expected a YAML file"):
        read_yaml(tmp_path)
    with pytest.raises(ConfigError, match="can't be read: Not a directory"):
        read_yaml(tmp_path / "ravdess.yaml" / "x.yaml")


def test_words_of_a_command_line() -> None:
    """A word is read as YAML, or stands for itself."""
    assert plain_value("[a, 1]") == ["a", 1]
    assert plain_value("a: [") == "a: ["
    assert plain_value("null") is None
