"""Reading files from anywhere: regular files of a bounded size, YAML and JSON of plain values.

Conventions:
    A pipe, a device or a socket may never answer or never end: it raises an ``OSError`` whose
    ``strerror`` says what it is. YAML and JSON give plain values or a ``PlainError``: no tags that
    make objects, no key twice, a bounded depth, and in YAML a bounded number of nodes, where an
    alias counts as often as it is used.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from speechnet.core.errors import ConfigError
from speechnet.core.wording import did_you_mean

_LARGEST: Final = 2**20
"""Bytes of a configuration; PyYAML takes ten seconds for as much."""
_DEEPEST: Final = 60
_MOST_NODES: Final = 100_000

_KINDS: Final[dict[str, Callable[[int], bool]]] = {
    "a named pipe": stat.S_ISFIFO,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    "a socket": stat.S_ISSOCK,
}


def kind_of_no_file(mode: int) -> str | None:
    """The kind of thing that a mode of ``os.stat`` describes; None for files and folders."""
    return next((name for name, holds in _KINDS.items() if holds(mode)), None)


class PlainError(ValueError):
    """A text is no YAML or JSON of plain values."""


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; nothing but a regular file is opened.

    Raises:
        OSError: there is none, it can't be read, or it is no regular file.
    """
    return io.BufferedReader(open_unbuffered(path))


def open_unbuffered(path: Path) -> io.FileIO:
    """``open_regular`` without a buffer, for libraries that read by the descriptor."""
    # Without O_NONBLOCK the open of a pipe waits for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            kind = kind_of_no_file(mode) or "no file"
            raise OSError(errno.EINVAL, f"it is {kind}, expected a regular file", str(path))
        return io.FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, largest: int | None = None) -> bytes:
    """Read a whole file.

    Args:
        path: the file.
        largest: bytes it may have.

    Raises:
        OSError: see ``open_regular``; or it is larger.
    """
    with open_regular(path) as file:
        if largest is None:
            return file.read()
        too_large = os.fstat(file.fileno()).st_size > largest
        content = b"" if too_large else file.read(largest + 1)  # it may grow meanwhile
    if too_large or len(content) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest:,} bytes", str(path))
    return content


def read_text(path: Path) -> str:
    """Read a text in UTF-8, of a configuration's size at most.

    Raises:
        OSError: see ``read_regular``.
        UnicodeDecodeError: it is no UTF-8.
    """
    return read_regular(path, largest=_LARGEST).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """Read a JSON.

    Raises:
        PlainError: it is none, has a key twice, or is nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise PlainError(_too_deep()) from None
    except PlainError:
        raise
    except ValueError as error:
        raise PlainError(_in_words(error)) from error
    _check_depth(value, _values)
    return value


def parse_yaml(text: str) -> Any:
    """Read a YAML of plain values.

    Raises:
        PlainError: it is none, its aliases repeat too much, or it is nested too deeply.
    """
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_depth(node, _nodes)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise PlainError(_where(error)) from error
    except RecursionError:
        raise PlainError(_too_deep()) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # as for !!int x
        if isinstance(error, PlainError):
            raise
        raise PlainError(_in_words(error)) from error


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file of keys and plain values.

    Args:
        path: a YAML whose top level is a mapping.

    Returns:
        The mapping, of plain types.

    Raises:
        ConfigError: there is no such file, or it isn't such a YAML.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}{_near(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (byte {error.start}), expected YAML") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    try:
        settings = parse_yaml(text)
    except PlainError as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from error
    if settings is None:
        raise ConfigError(f"{path} is empty, expected keys with values")
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} holds {str(settings)[:40]!r}, expected keys with values")
    return settings


def plain_value(text: str) -> Any:
    """What a word of the command line means as YAML; the text itself where it is none."""
    try:
        return parse_yaml(text)
    except PlainError:
        return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise PlainError(f"the key {key!r:.99} stands here twice")
        made[key] = value
    return made


class _PlainLoader(yaml.SafeLoader):
    """Refuses a key given twice, and leaves dates as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, dict | list) or key in seen:
                what = "isn't plain text" if isinstance(key, dict | list) else "stands here twice"
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} {what}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _timestamp(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
# YAML 1.1 takes 1e-3 for text; everyone who writes it means a number.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?\d[\d_]*(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def _check_depth(root: object, children: Callable[[Any], Iterator[object]]) -> None:
    """Refuse what is nested too deeply, or has too many nodes, each as often as it is reached.

    Level by level, so that neither depth nor aliases that hold each other cost more than the bound.
    """
    level, nodes = [root], 0
    for _ in range(_DEEPEST):
        below: list[object] = []
        for each in level:
            below += children(each)
            if nodes + len(below) > _MOST_NODES and children is _nodes:
                raise PlainError(f"it has more than {_MOST_NODES:,} values, its aliases repeated")
        nodes += len(below)
        if not below:
            return
        level = below
    raise PlainError(_too_deep())


def _values(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _too_deep() -> str:
    return f"it is nested more than {_DEEPEST} levels deep"


def _in_words(error: Exception) -> str:
    if "limit" in str(error) and "digits" in str(error):  # Python's own, against a slow conversion
        return f"a number has more than {sys.get_int_max_str_digits():,} digits"
    return f"a value can't be read ({error})"


def _where(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem is None:
        return " ".join(str(error).split())
    problem = error.problem
    if "could not determine a constructor for the tag" in problem:
        tag = problem.split("'")[1].replace("tag:yaml.org,2002:", "!!")
        problem = f"the tag {tag} isn't allowed, only plain values are"
    elif "'\\t'" in problem:
        problem = "a tab stands where only spaces may"
    mark = error.problem_mark
    return problem if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder {path.parent})"
    names = [other.name for other in path.parent.iterdir() if other.suffix in {".yaml", ".yml"}]
    return did_you_mean(path.name, names)
