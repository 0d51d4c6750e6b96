"""Definitions of corpora: how files are named and what codes mean, one YAML for each corpus.

Its keys are those of ``Definition``, except ``name``, which is the file's. A group of the pattern
that no field uses, or that is named like a column of every corpus, is a field of its own. The
example is checked whenever the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError
from speechnet.core.reading import read_yaml
from speechnet.core.registry import YamlRegistry
from speechnet.core.schema import decode
from speechnet.core.targets import VOCABULARY
from speechnet.core.wording import did_you_mean
from speechnet.corpus.discovery import without_ending

_IN_BRACES = re.compile(r"\{([^{}]+)\}")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")

_KEYS_OF_OTHERS: Final = {
    "files": {"": {"table"}, "fields": {"column", "pattern", "optional"}, "example": {"row"}},
    "manifest": {
        "": {"pattern", "match", "ignore_case"},
        "fields": {"group"},
        "example": {"name"},
    },
}
"""Keys by section that a kind of definition doesn't have, but the other one does."""


def canonical(code: str) -> str:
    """A code in its usual form: ``" 1 "`` and ``"1.0"`` are both ``"1"``."""
    whole = _WHOLE_NUMBER.fullmatch(code.strip())
    return whole[1] if whole else code.strip()


@dataclass(frozen=True)
class Field:
    """The source of a column of the corpus table.

    Attributes:
        group: a named group of the definition's pattern.
        column: a column of the CSV, or several in braces: ``dia{Dialogue_ID}_utt{Utterance_ID}``.
        value: the same text for every row.
        pattern: a regular expression, whose group named like the field is a part of ``column``.
        map: code -> label; other codes stay as they are.
        optional: the column may be absent.
    """

    group: str | None = None
    column: str | None = None
    value: str | None = None
    pattern: str | None = None
    map: dict[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns of the CSV that it combines."""
        return _IN_BRACES.findall(self.column or "") or [self.column or ""]

    def cell(self, row: Mapping[str, str | None]) -> str | None:
        """The cell of a row of the CSV; None if any of the columns is missing."""
        if not _IN_BRACES.search(self.column or ""):
            return row.get(self.column or "")
        cells = {name: row.get(name) for name in self.columns}
        if not all(cells.values()):
            return None
        return _IN_BRACES.sub(lambda found: canonical(str(cells[found[1]])), self.column or "")

    def label(self, name: str, code: str | None) -> str | None:
        """The label of a code in a file name or a row; ``name`` is the field's own."""
        if self.value is not None:
            return self.value
        if code and self.pattern:
            match = re.search(self.pattern, code)
            code = match[name] if match else None
        if not code or not (code := canonical(code)):
            return None
        if code in self.map:
            return self.map[code]
        # Case is ignored unless two codes differ only by it; labels stand for themselves.
        known = {label: label for label in VOCABULARY.get(name, ())} | self.map
        near = {known[key] for key in known if key.casefold() == code.casefold()}
        return near.pop() if len(near) == 1 else code


@dataclass(frozen=True)
class Example:
    """A recording's name, or a row of the table, with its labels."""

    labels: dict[str, Any]
    name: str = ""
    row: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name or ", ".join(f"{column} {value}" for column, value in self.row.items())


@dataclass(frozen=True)
class Definition:
    """A corpus's naming rule and code tables.

    Attributes:
        title: the corpus's full name.
        source: the citation, and where the naming rule is published.
        licence: the terms under which the recordings may be used.
        example: a recording with its labels.
        name: of the corpus, in the configuration.
        kind: ``files``: labels are in the names; ``manifest``: labels are in a CSV.
        fields: column of the corpus table -> its source.
        pattern: a regular expression with named groups that matches the whole name without its
            ending (``files``).
        match: whether the pattern matches the bare name (``stem``) or the path relative to the
            root (``files``).
        ignore_case: whether the pattern ignores case (``files``).
        table: the CSV's path relative to the root (``manifest``).
    """

    title: str
    source: str
    licence: str
    example: Example
    name: str = ""
    kind: Literal["files", "manifest"] = "files"
    fields: dict[str, Field] = field(default_factory=dict)
    pattern: str = ""
    match: Literal["stem", "path"] = "stem"
    ignore_case: bool = False
    table: str = "labels.csv"

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)

    def labels_of_name(self, file: str) -> dict[str, str | None] | None:
        """The labels in a file's id; None if it isn't named by this rule."""
        path = without_ending(file)
        match = self.regex.fullmatch(path if self.match == "path" else path.rsplit("/", 1)[-1])
        if match is None:
            return None
        return {
            name: field.label(name, match[field.group] if field.group else None)
            for name, field in self.fields.items()
        }


CORPORA: Final = YamlRegistry(
    "corpus",
    group="speechnet.corpora",
    folder=Path(__file__).parent / "definitions",
    check=lambda path: load_definition(str(path)),
)


def definition_path(name: str) -> Path:
    """The file of a known corpus, or of one's own definition, whose name ends in ``.yaml``.

    Raises:
        ConfigError: it is neither.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name).expanduser()
    try:
        return CORPORA[name]
    except ConfigError as error:
        raise ConfigError(
            f"data.corpus.name is neither the path of a .yaml nor a known corpus: {error}"
        ) from error


def load_definition(name: str) -> Definition:
    """Read and check the definition of a known corpus, or one's own ``.yaml``.

    Raises:
        ConfigError: there is no such definition, or something in it is wrong.
    """
    path = definition_path(name)
    raw, where = read_yaml(path), f"corpus definition {name}"
    definition = replace(decode(Definition, raw, where), name=path.stem)
    try:
        return _checked(definition, raw)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _checked(definition: Definition, raw: dict[str, Any]) -> Definition:
    """The definition with the pattern's own groups as fields, once everything in it fits."""
    kind, fields = definition.kind, definition.fields
    sections = {"": raw, "example": raw["example"]}
    sections |= {f"fields.{name}": settings for name, settings in raw.get("fields", {}).items()}
    for section, settings in sections.items():
        others = _KEYS_OF_OTHERS[kind][section.partition(".")[0]]
        if wrong := sorted(others & settings.keys()):
            key = f"{section}.{wrong[0]}" if section else wrong[0]
            raise ConfigError(f"{key} can't be set where kind is {kind}")
    for name, source in fields.items():
        _check_field(name, source, kind)
    if kind == "files":
        fields = fields | _own_fields(definition)
    elif "file" not in fields or fields["file"].column is None:
        raise ConfigError("fields.file must name the column that holds the recordings' names")
    definition = replace(definition, fields=fields)
    _check_example(definition)
    return definition


def _check_field(name: str, source: Field, kind: str) -> None:
    needed = "group" if kind == "files" else "column"
    if (getattr(source, needed) is None) == (source.value is None):
        raise ConfigError(f"fields.{name} needs either {needed} or value")
    if source.pattern is not None and name not in _groups(source.pattern):
        raise ConfigError(
            f"fields.{name}.pattern needs a group called like the field: (?P<{name}>...)"
        )


def _own_fields(definition: Definition) -> dict[str, Field]:
    """The pattern's groups that are fields of their own."""
    groups, fields = _groups(definition.pattern), definition.fields
    for name, source in fields.items():
        if source.group and source.group not in groups:
            near = did_you_mean(source.group, groups)
            raise ConfigError(f"fields.{name}: the pattern has no group {source.group!r}{near}")
    used = {source.group for source in fields.values()}
    return {
        group: Field(group)
        for group in groups
        if group not in fields and (group in CORPUS_COLUMNS or group not in used)
    }


def _check_example(definition: Definition) -> None:
    example = definition.example
    row = {column: str(value) for column, value in example.row.items()}
    given: Mapping[str, str | None] | None = {
        name: source.label(name, source.cell(row)) for name, source in definition.fields.items()
    }
    if definition.kind == "files":
        given = definition.labels_of_name(example.name)
    if given is None:
        raise ConfigError(f"the pattern doesn't match the example {example.name!r}")
    for name, label in example.labels.items():
        if given.get(name) != (None if label is None else str(label)):
            raise ConfigError(f"the example gives {name} {given.get(name)!r}, not {label!r}")


def _groups(pattern: str) -> list[str]:
    """The names of a regular expression's groups."""
    try:
        return list(re.compile(pattern).groupindex)
    except re.error as error:
        raise ConfigError(f"pattern {pattern!r} isn't a regular expression: {error}") from error
