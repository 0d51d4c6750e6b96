"""Reading files from anywhere: regular files of a bounded size, YAML and JSON of plain values.

Conventions:
    A pipe, a device or a socket may never answer or never end: it raises an ``OSError`` whose
    ``strerror`` says what it is. YAML and JSON give plain values or a ``PlainError``: no tags that
    make objects, no duplicate keys, a bounded depth, and in YAML a bounded number of nodes, where
    an alias counts each time it is used.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from itertools import chain
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
    """The kind of thing that a mode of ``os.stat`` is of; None for files and folders."""
    return next((name for name, holds in _KINDS.items() if holds(mode)), None)


class PlainError(ValueError):
    """A text isn't YAML or JSON of plain values."""


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading, and nothing else.

    Raises:
        OSError: there is none, or it can't be read.
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

    Raises:
        OSError: see ``open_regular``; or the file has more than ``largest`` bytes.
    """
    with open_regular(path) as file:
        content = file.read() if largest is None else file.read(largest + 1)
    if largest is not None and len(content) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest:,} bytes", str(path))
    return content


def read_text(path: Path) -> str:
    """Read a text in UTF-8 of at most the size of a configuration.

    Raises:
        OSError: see ``read_regular``.
        UnicodeDecodeError: it isn't UTF-8.
    """
    return read_regular(path, largest=_LARGEST).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        PlainError: it isn't JSON, has a duplicate key, or is nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise PlainError(_too_deep()) from None
    except PlainError:
        raise
    except ValueError as error:
        raise PlainError(_in_words(error)) from error
    _check_depth(value)
    return value


def parse_yaml(text: str) -> Any:
    """Read YAML of plain values.

    Raises:
        PlainError: it isn't such YAML, its aliases repeat too much, or it is nested too deeply.
    """
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_depth(node)
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
    """Read a YAML file whose top level is a mapping.

    Raises:
        ConfigError: there is no such file, or it isn't such YAML.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}{_near(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} isn't UTF-8 (byte {error.start}), expected YAML") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    try:
        settings = parse_yaml(text)
    except PlainError as error:
        raise ConfigError(f"{path} isn't valid YAML: {error}") from error
    if settings is None:
        raise ConfigError(f"{path} is empty, expected keys with values")
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} holds {str(settings)[:40]!r}, expected keys with values")
    return settings


def plain_value(text: str) -> Any:
    """The value of a word of the command line as YAML, or the text itself if it isn't YAML."""
    try:
        return parse_yaml(text)
    except PlainError:
        return text


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise PlainError(f"the key {key!r:.99} occurs twice")
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
                what = "isn't plain text" if isinstance(key, dict | list) else "occurs twice"
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} {what}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _timestamp(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
# In YAML 1.1 1e-3 is text; everyone who writes it means a number.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?\d[\d_]*(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def _check_depth(root: object) -> None:
    """Refuse deep nesting and, in YAML, too many nodes, counted each time they are reached.

    Level by level, so that neither depth nor aliases that hold each other cost more than the bound.
    """
    level, nodes = [root], 0
    for _ in range(_DEEPEST):
        below: list[object] = []
        for each in level:
            below += _children(each)
            if nodes + len(below) > _MOST_NODES and isinstance(root, yaml.Node):
                raise PlainError(f"it has more than {_MOST_NODES:,} values, its aliases repeated")
        nodes += len(below)
        if not below:
            return
        level = below
    raise PlainError(_too_deep())


def _children(node: object) -> Iterable[object]:
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    if isinstance(node, dict):
        return node.values()
    children = node.value if isinstance(node, yaml.SequenceNode) else node
    return children if isinstance(children, list) else ()


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
        problem = "a tab, where only spaces are allowed"
    mark = error.problem_mark
    return problem if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder {path.parent})"
    names = [other.name for other in path.parent.iterdir() if other.suffix in {".yaml", ".yml"}]
    return did_you_mean(path.name, names)
