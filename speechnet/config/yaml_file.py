"""Read YAML of plain values only: no tags that make objects, no key given twice."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from speechnet.errors import ConfigError


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a configuration file.

    Args:
        path: a YAML whose top level is a mapping.

    Returns:
        The mapping, of plain types.

    Raises:
        ConfigError: there is no such file, or it isn't such a YAML.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}{_near(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (byte {error.start}), expected YAML") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    try:
        settings = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no valid YAML: {_where(error)}") from error
    if settings is None:
        raise ConfigError(f"{path} is empty, expected keys such as data:")
    if not isinstance(settings, dict):
        raise ConfigError(
            f"{path} holds {str(settings)[:40]!r}, expected keys with values such as data: ..."
        )
    return settings


def plain_value(text: str) -> Any:
    """What a word of the command line means as YAML; the text itself where it is none."""
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return text


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
    near = get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
