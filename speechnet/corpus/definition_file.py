"""Read and check a corpus's definition, a small YAML.

It is a YAML with the keys

- ``title``, ``source`` (the citation, and where the naming rule is published), ``licence``;
- ``kind``: ``files`` (labels stand in the names; the default) or ``manifest`` (labels stand in a
  CSV);
- for files, ``pattern``: a regular expression with named groups that matches the whole name without
  its ending; ``match``: ``stem`` (the bare name; the default) or ``path`` (relative to the root);
  ``ignore_case``;
- for a manifest, ``table``: where the CSV lies below the root;
- ``fields``: a column of the corpus table -> where its value comes from;
- ``example``: a name (or a row) with the labels it gives, checked whenever the file is loaded.

A field has ``group`` (of the pattern), ``column`` (of the CSV; several in braces make one text) or
``value`` (the same in all rows);
``map`` turns codes into labels, ``pattern`` takes a part of a column (the group named like the
field), and ``optional`` columns may be absent. A group that no field uses, or that is named like a
column every corpus has, is a field of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from speechnet.core.errors import ConfigError
from speechnet.core.reading import PlainError, parse_yaml, read_config_text
from speechnet.core.types import CORPUS_COLUMNS
from speechnet.core.wording import did_you_mean, listing
from speechnet.corpus.definition import Definition, Field
from speechnet.corpus.known import check_name

_COMMON_KEYS = frozenset({"title", "source", "licence", "kind", "fields", "example"})
_KEYS = {
    "files": _COMMON_KEYS | {"pattern", "match", "ignore_case"},
    "manifest": _COMMON_KEYS | {"table"},
}
_FIELD_KEYS = {
    "files": frozenset({"group", "map", "value"}),
    "manifest": frozenset({"column", "map", "value", "pattern", "optional"}),
}


def load_definition(name: str) -> Definition:
    """Read and check a definition.

    Args:
        name: a shipped definition's name, or the path of a ``.yaml`` file.

    Returns:
        The definition; its example has been tried.

    Raises:
        ConfigError: there is no such definition, or something in it is wrong.
    """
    is_path = check_name(name)
    shipped = resources.files("speechnet.corpus") / "definitions" / f"{name}.yaml"
    try:
        own = read_config_text(Path(name).expanduser()) if is_path else None
        raw = parse_yaml(own if own is not None else shipped.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"data.corpus.name: can't read {name!r}: {error.strerror}") from error
    except (PlainError, UnicodeDecodeError) as error:
        raise ConfigError(f"data.corpus.name: {name} isn't a YAML file: {error}") from error
    return _Checker(name).definition(Path(name).stem if is_path else name, raw)


@dataclass(frozen=True)
class _Checker:
    """Turns a definition's YAML into a Definition, complaining about all that is not one."""

    origin: str

    def definition(self, name: str, raw: object) -> Definition:
        top = self.mapping(raw, "the whole file")
        kind = self.text(top, "kind", "files")
        if kind not in _KEYS:
            self.fail(f"kind is {kind!r}, expected one of {', '.join(_KEYS)}")
        self.known_keys(top, _KEYS[kind], "the definition")
        fields = {
            str(key): self.field(str(key), value, kind)
            for key, value in self.mapping(top.get("fields", {}), "fields").items()
        }
        match = self.text(top, "match", "stem")
        if match not in {"stem", "path"}:
            self.fail(f"match is {match!r}, expected stem or path")
        pattern = re.compile("")
        if kind == "files":
            pattern = self.regex(self.text(top, "pattern"), self.flag(top, "ignore_case"))
            self.groups_exist(fields, pattern)
            fields |= self.own_fields(fields, pattern)
        elif fields.get("file", Field()).column is None:
            self.fail("fields.file must name the column that holds the recordings' names")
        example = self.mapping(top.get("example"), "example")
        definition = Definition(
            name=name,
            title=self.text(top, "title"),
            source=self.text(top, "source"),
            licence=self.text(top, "licence"),
            kind=kind,
            fields=fields,
            example=self.example_text(example, kind),
            pattern=pattern,
            match_path=match == "path",
            table=self.text(top, "table", "labels.csv"),
        )
        self.example_holds(definition, example)
        return definition

    def field(self, name: str, raw: object, kind: str) -> Field:
        where = f"fields.{name}"
        keys = self.mapping(raw, where)
        self.known_keys(keys, _FIELD_KEYS[kind], where)
        source = "group" if kind == "files" else "column"
        if (source in keys) == ("value" in keys):
            self.fail(f"{where} needs either {source} or value")
        pattern = None
        if "pattern" in keys:
            pattern = self.regex(self.text(keys, "pattern"), ignore_case=False)
            if name not in pattern.groupindex:
                self.fail(f"{where}.pattern needs a group called like the field: (?P<{name}>...)")
        codes = self.mapping(keys.get("map", {}), f"{where}.map")
        for code, label in codes.items():
            # YAML reads an unquoted no, off or null as something other than text.
            if type(code) not in {str, int} or type(label) not in {str, int}:
                self.fail(f"{where}.map: {code!r}: {label!r} isn't text to text; put it in quotes")
        return Field(
            group=self.text(keys, "group", "") or None,
            column=self.text(keys, "column", "") or None,
            value=self.text(keys, "value", "") or None,
            pattern=pattern,
            map={str(code): str(label) for code, label in codes.items()},
            optional=self.flag(keys, "optional"),
        )

    def example_text(self, example: dict[Any, Any], kind: str) -> str:
        self.known_keys(
            example, frozenset({"name" if kind == "files" else "row", "labels"}), "example"
        )
        if kind == "files":
            return self.text(example, "name")
        row = self.mapping(example.get("row"), "example.row")
        return ", ".join(f"{column} {value}" for column, value in row.items())

    def example_holds(self, definition: Definition, example: dict[Any, Any]) -> None:
        labels = self.mapping(example.get("labels"), "example.labels")
        if definition.kind == "files":
            given = definition.labels_of_name(definition.example)
            if given is None:
                self.fail(f"the pattern doesn't match the example {definition.example!r}")
        else:
            row: dict[str, str | None] = {
                str(key): str(value) for key, value in example["row"].items()
            }
            given = {
                name: source.label(name, source.cell(row))
                for name, source in definition.fields.items()
            }
        for name, label in labels.items():
            if given.get(name) != (None if label is None else str(label)):
                self.fail(f"the example gives {name} {given.get(name)!r}, not {label!r}")

    def groups_exist(self, fields: dict[str, Field], pattern: re.Pattern[str]) -> None:
        for name, source in fields.items():
            if source.group and source.group not in pattern.groupindex:
                near = did_you_mean(source.group, pattern.groupindex)
                self.fail(f"fields.{name}: the pattern has no group {source.group!r}{near}")

    def own_fields(self, fields: dict[str, Field], pattern: re.Pattern[str]) -> dict[str, Field]:
        used = {source.group for source in fields.values()}
        return {
            group: Field(group)
            for group in pattern.groupindex
            if group not in fields and (group in CORPUS_COLUMNS or group not in used)
        }

    def regex(self, text: str, ignore_case: bool) -> re.Pattern[str]:
        try:
            return re.compile(text, re.IGNORECASE if ignore_case else 0)
        except re.error as error:
            return self.fail(f"pattern {text!r} isn't a regular expression: {error}")

    def mapping(self, raw: object, where: str) -> dict[Any, Any]:
        if not isinstance(raw, dict):
            self.fail(f"{where} must be a mapping of keys to values, not {raw!r:.60}")
        return raw

    def text(self, keys: dict[Any, Any], key: str, default: str | None = None) -> str:
        value = keys.get(key, default)
        if not isinstance(value, str):
            self.fail(f"{key} must be text, not {value!r:.60}")
        return value

    def flag(self, keys: dict[Any, Any], key: str) -> bool:
        value = keys.get(key, False)
        if not isinstance(value, bool):
            self.fail(f"{key} must be true or false, not {value!r:.60}")
        return value

    def known_keys(self, keys: dict[Any, Any], known: frozenset[str], where: str) -> None:
        for key in keys:
            if key not in known:
                near = did_you_mean(str(key), known)
                self.fail(
                    f"{where} has an unknown key {key!r}{near}; known are {listing(sorted(known))}"
                )

    def fail(self, what: str) -> NoReturn:
        raise ConfigError(f"corpus definition {self.origin}: {what}")
