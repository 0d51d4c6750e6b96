"""Tests of reading what may come from anywhere."""

import os
import socket
from pathlib import Path

import pytest

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.reading import (
    PlainError,
    open_regular,
    parse_json,
    parse_yaml,
    read_regular,
    read_yaml,
)
from speechnet.corpus.csv_table import read_sheet
from speechnet.corpus.definition import load_definition

pytestmark = pytest.mark.slow

LINES = zip("abcdefgh", "bcdefghi", strict=True)
BOMB = (
    "a: &a ["
    + ",".join("x" * 9)
    + "]\n"
    + "".join(f"{this}: &{this} [{','.join([f'*{last}'] * 9)}]\n" for last, this in LINES)
)
"""306 bytes that mean 400 million values."""
MERGES = (
    BOMB.replace("[", "{<<: [").replace("]", "]}").replace("{<<: [x,x,x,x,x,x,x,x,x]}", "{x: 1}")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "more than 100,000 values, its aliases repeated"),
        (MERGES, "more than 100,000 values, its aliases repeated"),
        ("a: &a [*a]", "nested more than 60 levels"),
        ("[" * 2_000, "nested more than 60 levels"),
        ("[" * 70 + "]" * 70, "nested more than 60 levels"),
        ("".join(" " * level + "a:\n" for level in range(1_000)), "nested more than 60 levels"),
        ("a: " + "1" * 5_000, "a number has more than 4,300 digits"),
        ("a: !!int x", "a value can't be read"),
        ("a: !!bool x", "a value can't be read"),
        ("a: !!python/object/apply:os.system [x]", r"the tag !!python/\S+ isn't allowed"),
        ("a: \0", "unacceptable character"),
        ("a: {[b]: c}", "isn't plain text"),
    ],
)
def test_yaml_of_anybody(text: str, said: str, tmp_path: Path) -> None:
    """Refused at once and in words, as a configuration and as a definition of a corpus."""
    with pytest.raises(PlainError, match=said):
        parse_yaml(text)
    path = tmp_path / "x.yaml"
    path.write_text(text)
    for read in (read_yaml, lambda path: load_definition(str(path))):
        with pytest.raises(ConfigError, match=said):
            read(path)


def test_aliases_of_a_person_are_read() -> None:
    """Repeating a few settings by name is what aliases are for."""
    text = "a: &a {x: 1, y: [1, 2]}\nb: *a\nc: {<<: *a, x: 2}"
    one = {"x": 1, "y": [1, 2]}
    assert parse_yaml(text) == {"a": one, "b": one, "c": one | {"x": 2}}
    assert parse_yaml("") is None


def test_json_of_anybody() -> None:
    """Bounded in depth and digits; as deep as the bound it is read."""
    assert parse_json("[" * 60 + "]" * 60)
    for text, said in {
        "[" * 61 + "]" * 61: "nested more than 60",
        "[" * 100_000: "nested more than 60",
        "1" * 5_000: "more than 4,300 digits",
        "{": "line 1 column 2",
        b"\xff": "can't decode",
    }.items():
        with pytest.raises(PlainError, match=said):
            parse_json(text)


def test_regular_files_only(tmp_path: Path) -> None:
    """Whatever never answers or never ends is refused without waiting for it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path, said in {
        tmp_path / "pipe": "it is a named pipe, expected a regular file",
        tmp_path / "link": "it is a named pipe, expected a regular file",
        Path("/dev/zero"): "it is a device, expected a regular file",
        tmp_path: "Is a directory",
        tmp_path / "gone": "No such file",
    }.items():
        with pytest.raises(OSError, match=said):
            open_regular(path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            open_regular(tmp_path / "s")
    with pytest.raises(ConfigError, match="can't be read: it is a named pipe"):
        read_yaml(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"can't read .*pipe: it is a named pipe"):
        read_sheet(tmp_path / "pipe")


def test_bounded_size(tmp_path: Path) -> None:
    """A sparse file of terabytes is refused after the bound, one of the bound is read."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1")
    assert read_regular(path, largest=4) == b"a: 1"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_regular(path, largest=3)
    os.truncate(path, 2**42)
    with pytest.raises(ConfigError, match="larger than 1,048,576 bytes"):
        read_yaml(path)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "c": 2, "a": 1}}]'])
def test_a_json_with_a_key_twice(text: str) -> None:
    """It is refused, wherever it is."""
    with pytest.raises(PlainError, match="the key 'a' occurs twice"):
        parse_json(text)
