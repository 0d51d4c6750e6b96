"""Writes the pages of the reference: one for each command and for each key of an experiment."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

import yaml
from docstring_parser import parse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jsonargparse import ArgumentParser

from speechnet.cli.main import COMMANDS
from speechnet.config.experiment import fit_parser
from speechnet.core.metrics import METRICS, Metric
from speechnet.report.figure import FIGURES

_HERE: Final = Path(__file__).parent
_CONFIGS: Final = _HERE.parent / "configs"
_OF_A_WHOLE_EXPERIMENT: Final = frozenset({"fit", "audit"})
_NO_KEYS: Final = frozenset({"help", "config", "print_config"})
_LIGHTNING: Final = "trainer"
"""The section whose keys Lightning documents; it gets one page."""


@dataclass(frozen=True)
class Key:
    """A key of a configuration, or an argument of a command.

    Attributes:
        name: with its sections, ``data.audio.sample_rate``.
        kind: what it may hold, in words.
        default: as YAML.
        text: what it does, Markdown.
        required: whether there is no default.
        set_in: the shipped configurations that set it, each with its value as YAML.
    """

    name: str
    kind: str
    default: str
    text: str
    required: bool
    set_in: dict[str, str]

    @property
    def example(self) -> str:
        """The default where it stands in a YAML."""
        nested: Any = yaml.safe_load(self.default)
        for part in reversed(self.name.split(".")):
            nested = {part: nested}
        return yaml.safe_dump(nested, sort_keys=False, default_flow_style=None).strip()

    @property
    def flag(self) -> str:
        """The default as a command line has it."""
        return f"--{self.name} {shlex.quote(self.default)}"


def write_reference(folder: Path) -> None:
    """Write every page again.

    Args:
        folder: where to; what was there is removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    templates = Environment(  # noqa: S701 - Markdown, from this program's own docstrings
        loader=FileSystemLoader(_HERE / "_templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, template, values in _pages():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = templates.get_template(f"{template}.md.j2").render(values)
        path.write_text(text, encoding="utf-8")


def _pages() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, template and values of each page."""
    for command, what in COMMANDS.items():
        whole = command in _OF_A_WHOLE_EXPERIMENT
        parser = import_module(f"speechnet.cli.{command}").parser()
        yield (
            f"commands/{command}",
            "command",
            {
                "command": command,
                "what": what,
                "usage": usage(command, parser),
                "keys": [] if whole else list(keys(parser)),
                "whole": whole,
            },
        )
    yield "commands/index", "commands", {"commands": COMMANDS}
    every = list(keys(fit_parser()))
    tops = [name.partition(".")[0] for name in map(_section, every)]
    names = sorted(
        {*map(_section, every)}, key=lambda name: (tops.index(name.partition(".")[0]), name)
    )
    sections = {name: [key for key in every if _section(key) == name] for name in names}
    for name, members in sections.items():
        yield f"keys/{name}/index", "section", {"name": name, "keys": members, "own": _own(name)}
        if _own(name):
            for key in members:
                yield f"keys/{name}/{key.name}", "key", {"key": key}
    yield "keys/index", "keys", {"sections": sections}
    shown = {name: inspect.getdoc(draw) or "" for name, draw in FIGURES.items()}
    yield "figures", "figures", {"figures": {n: d.partition("\n")[0] for n, d in shown.items()}}
    yield "metrics", "metrics", {"metrics": {n: _of_metric(one) for n, one in METRICS.items()}}


def _of_metric(metric: Metric) -> dict[str, str]:
    """The cells of a metric's row."""
    what = (inspect.getdoc(metric.function) or "").partition("\n\n")[0]
    low, high = metric.range
    return {
        "what": _markdown(what).replace("|", r"\|"),
        "range": f"{low:g} to {high:g}",
        "better": "higher" if metric.higher_is_better else "lower",
        "shown": ", ".join(metric.shown),
        "tunable": "✓" if metric.tunable else "",
    }


def keys(parser: ArgumentParser) -> Iterator[Key]:
    """The keys that a parser knows, in its order, sections and helps left out."""
    shipped = {path.name: yaml.safe_load(path.read_text()) for path in sorted(_CONFIGS.iterdir())}
    for action in parser._actions:
        kind = getattr(action, "_typehint", None) or action.type
        if action.dest in _NO_KEYS or action.dest.endswith(".help") or kind is None:
            continue
        yield _key(
            action.dest, kind, action.default, action.help, shipped, required=bool(action.required)
        )
        if not str(kind).startswith("list"):  # of what ``data.corpus`` documents
            for group in filter(is_dataclass, get_args(kind)):
                yield from _inner_keys(action.dest, group, shipped)


def _inner_keys(name: str, group: Any, shipped: dict[str, Any]) -> Iterator[Key]:
    """The keys of a section that can be left out whole, which no parser lists."""
    texts = {
        each.arg_name: each.description
        for base in reversed(group.__mro__)
        for each in parse(base.__doc__ or "").params
    }
    made, kinds = group(), get_type_hints(group)
    for field in (each.name for each in fields(group)):
        yield _key(f"{name}.{field}", kinds[field], getattr(made, field), texts[field], shipped)


def _key(
    name: str,
    kind: Any,
    default: Any,
    text: str | None,
    shipped: dict[str, Any],
    required: bool = False,
) -> Key:
    values = {file: _find(content, name.split(".")) for file, content in shipped.items()}
    return Key(
        name=name,
        kind=kind_in_words(kind),
        default=_as_yaml(default),
        text=_markdown(text or ""),
        required=required,
        set_in={file: _as_yaml(value) for file, value in values.items() if value is not ...},
    )


def kind_in_words(kind: Any) -> str:
    """A type as a user writes it: ``one of mean, left, right``, ``number or null``."""
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if kind in names:
        return names[kind]
    text = str(kind)
    if text.startswith("typing.Literal"):
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(kind))
    inner = get_args(kind)
    if type(None) in inner or isinstance(kind, UnionType) or "Union" in text:
        words = [kind_in_words(each) for each in inner if each is not type(None)]
        return " or ".join([*words, "`null`"] if type(None) in inner else words)
    if text.startswith("list["):
        return f"list of: {kind_in_words(inner[0])}"
    if text.startswith("dict["):
        return f"map of {kind_in_words(inner[0])} to: {kind_in_words(inner[1])}"
    if is_dataclass(kind):
        return "a section of keys"
    return "anything" if kind is Any else f"`{getattr(kind, '__name__', text)}`"


def usage(command: str, parser: ArgumentParser) -> str:
    """How a command is called, with what it can't do without."""
    words = [f"python -m speechnet {command}"]
    if command in _OF_A_WHOLE_EXPERIMENT:
        words.append("--config X.yaml")
    for action in parser._actions:
        if action.required and action.option_strings:
            words.append(f"{action.option_strings[-1]} {action.dest.upper()}")
        elif not action.option_strings and action.dest not in _NO_KEYS:
            words.append(action.dest.upper() + ("..." if action.nargs in {"+", "*"} else ""))
    return " ".join([*words, "[--key value ...]"])


def _section(key: Key) -> str:
    """``data.audio`` for ``data.audio.sample_rate``; ``general`` for what stands at the top."""
    head, _, _ = key.name.rpartition(".")
    if not head:
        return "general"
    return _LIGHTNING if head.startswith(_LIGHTNING) else head


def _own(section: str) -> bool:
    return section != _LIGHTNING


def _find(content: Any, path: list[str]) -> Any:
    """What a file says of a key; ``...`` where it says nothing."""
    for part in path:
        if not isinstance(content, dict) or part not in content:
            return ...
        content = content[part]
    return content


def _as_yaml(value: Any) -> str:
    """In one line."""
    plain = json.loads(json.dumps(value, default=vars))
    text = yaml.safe_dump(plain, default_flow_style=True, width=10**6, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _markdown(text: str) -> str:
    """A docstring's sentence as Markdown, with a capital and a full stop."""
    text = re.sub(r"``([^`]*)``", r"`\1`", " ".join(text.split()))
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".")


if __name__ == "__main__":
    write_reference(_HERE / "reference")
