"""Plain values, as YAML and command lines give them: checked against types, and made into them.

A type is a dataclass, a mapping of keys to types, or any annotation made of ``Literal``, unions,
lists, tuples, dicts, plain types and bounds on them (``speechnet.core.bounds``). A tuple is written
as a list; one of texts also as a single text separated by blanks. Other types are left unchecked.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from speechnet.core.bounds import Written
from speechnet.core.errors import ConfigError
from speechnet.core.reading import plain_value
from speechnet.core.wording import listing

T = TypeVar("T")

_WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    types.NoneType: "null",
}
_NEAR: Final = 0.6
"""Similarity, 0 to 1, above which a key of the same section is suggested."""
_SAME: Final = 0.8
"""The same for a key of another section."""


class Schema:
    """The keys that a mapping may have, with their types.

    Args:
        keys: the top-level keys.
        refused: keys that one could expect, with the reason why they can't be set.
        extensible: sections whose keys are names, to which installed packages may add.
    """

    def __init__(
        self,
        keys: Mapping[str, Any],
        *,
        refused: Mapping[str, str] | None = None,
        extensible: Collection[str] = (),
    ) -> None:
        self.keys = keys
        self._refused = refused or {}
        self._extensible = extensible

    def expected(self, key: str) -> Any:
        """The type of a key such as ``data.corpus.root``; ``Any`` below an unchecked type.

        Raises:
            ConfigError: there is no such key.
        """
        expected: Any = self.keys
        words = key.split(".") if key else []
        for position, word in enumerate(words):
            children = children_of(expected)
            if children is not None and word in children:
                expected = children[word]
                continue
            values = [kind for kind in _plain_alternatives(expected) if get_origin(kind) is dict]
            if children is None and values:
                expected = get_args(values[0])[1]
            elif children is None and _unchecked(expected):
                return Any
            else:
                section, rest = ".".join(words[:position]), words[position + 1 :]
                raise self._unknown(section, word, rest, children or {})
        return expected

    def check(self, value: object, key: str = "") -> None:
        """Check a value and everything below it.

        Raises:
            ConfigError: a key is unknown, or a value isn't of its type.
        """
        self._check(value, self.expected(key), key)

    def read(self, key: str, text: str) -> Any:
        """The value that a command line gives for a key: YAML, or else the text itself.

        Raises:
            ConfigError: see ``check``.
        """
        value, expected = plain_value(text), self.expected(key)
        known = [kind for kind in _alternatives(expected) if not _unchecked(kind)]
        as_value, as_text = (any(_fits(one, kind) for kind in known) for one in (value, text))
        if as_text and not as_value and not isinstance(value, dict | list):
            return text
        self._check(value, expected, key)
        return value

    def _check(self, value: object, expected: Any, key: str) -> None:
        children = children_of(expected)
        if children is not None and isinstance(value, dict):
            for name, inner in value.items():
                if name not in children:
                    raise self._unknown(key, str(name), [], children)
                self._check(inner, children[name], f"{key}.{name}" if key else name)
            return
        kinds = [kind for kind in _plain_alternatives(expected) if kind is not types.NoneType]
        origin, arguments = get_origin(kinds[0]), get_args(kinds[0])
        if len(kinds) == 1 and origin in {list, tuple} and isinstance(value, list):
            for position, inner in enumerate(value):
                self._check(inner, arguments[0], f"{key}[{position}]")
        elif len(kinds) == 1 and origin is dict and isinstance(value, dict):
            for name, inner in value.items():
                code = arguments[0] is str and type(name) is int  # written without quotes
                if not code and not _fits(name, arguments[0]):
                    raise _wrong(name, arguments[0], f"a key of {key}")
                self._check(inner, arguments[1], f"{key}.{name}")
        if not _fits(value, expected):
            raise _wrong(value, expected, key or "the whole")

    def _unknown(
        self, section: str, word: str, rest: Sequence[str], children: Mapping[str, Any]
    ) -> ConfigError:
        """The error for a word that a section doesn't know, with what may have been meant."""
        above = f"{section}." if section else ""
        key = ".".join([f"{above}{word}", *rest])
        if key in self._refused:
            return ConfigError(f"{key} can't be set: {self._refused[key]}")
        known = list(_paths(self.keys))
        meant, named = "", section in self._extensible
        install = "; if it comes with a package, install that" * named
        siblings = {name.casefold(): name for name in children}
        last = key.rpartition(".")[2]
        if near := get_close_matches(word.casefold(), siblings, n=1, cutoff=_NEAR):
            meant = f"{above}{siblings[near[0]]}"
            whole = ".".join([meant, *rest])
            meant = whole if whole in known else meant
        elif not named:  # perhaps the right word in the wrong section
            names = {path.rpartition(".")[2] for path in known}
            near = get_close_matches(last, names, n=1, cutoff=_SAME)
            same = [path for path in known if path.rpartition(".")[2] in near]
            meant = max(same, key=lambda path: SequenceMatcher(None, key, path).ratio(), default="")
        if meant:
            return ConfigError(f"unknown key {key!r}; the nearest known one is {meant!r}{install}")
        if not children:
            return ConfigError(f"unknown key {key!r}; {section} has no keys")
        place = f"{section} has" if section else "known are"
        return ConfigError(f"unknown key {key!r}; {place} {listing(children, 40)}{install}")


def decode(kind: type[T], raw: object, where: str) -> T:
    """Make a dataclass of a mapping of plain values.

    Args:
        kind: the dataclass.
        raw: what was read.
        where: what it is, for messages.

    Raises:
        ConfigError: a key is unknown or missing, or a value isn't of its type.
    """
    try:
        Schema(hints_of(kind)).check(raw)  # type: ignore[arg-type] # mypy doubts that it has a hash
        made: T = build(kind, raw)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return made


def build(kind: Any, value: Any) -> Any:
    """Make what a checked value stands for: dataclasses, tuples, and floats of whole numbers.

    Raises:
        ConfigError: a field without a default is missing.
    """
    if value is None:
        return None
    kinds = _plain_alternatives(kind)
    for one in kinds:
        origin, arguments = get_origin(one), get_args(one)
        if isinstance(one, type) and dataclasses.is_dataclass(one) and isinstance(value, dict):
            for field in dataclasses.fields(one):
                needed = field.default is field.default_factory is dataclasses.MISSING
                if needed and field.name not in value:
                    raise ConfigError(f"{field.name} is missing")
            hints = hints_of(one)
            return one(**{name: build(hints[name], inner) for name, inner in value.items()})
        if origin is list and isinstance(value, list):
            return [build(arguments[0], inner) for inner in value]
        if origin is tuple:
            inners = value.split() if isinstance(value, str) else value
            return tuple(build(arguments[0], inner) for inner in inners)
        if origin is dict and isinstance(value, dict):
            return {
                str(name) if arguments[0] is str else name: build(arguments[1], inner)
                for name, inner in value.items()
            }
    return float(value) if type(value) is int and float in kinds and int not in kinds else value


def children_of(kind: Any) -> Mapping[str, Any] | None:
    """The keys below a section with their types; None for anything but a section."""
    if isinstance(kind, Mapping):
        return kind
    for one in _alternatives(kind):
        if dataclasses.is_dataclass(one) and isinstance(one, type):
            return hints_of(one)
    return None


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """The type of each field of a dataclass, with its bounds."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _paths(children: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, kind in children.items():
        yield f"{above}{name}"
        yield from _paths(children_of(kind) or {}, f"{above}{name}.")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in {Union, types.UnionType}:
        return tuple(one for part in get_args(kind) for one in _alternatives(part))
    return (kind,)


def _plain_alternatives(kind: Any) -> list[Any]:
    """The alternatives without their bounds."""
    return [
        get_args(one)[0] if get_origin(one) is Annotated else one for one in _alternatives(kind)
    ]


def _unchecked(kind: Any) -> bool:
    """Whether some alternative is a type that this module doesn't know."""
    return any(
        children_of(one) is None
        and get_origin(one) not in {list, tuple, dict, Literal}
        and one not in _WORDS
        for one in _plain_alternatives(kind)
    )


def _fits(value: object, kind: Any) -> bool:
    return _unchecked(kind) or any(_fits_one(value, one) for one in _alternatives(kind))


def _fits_one(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bare, *bounds = arguments
        return _fits_one(value, bare) and all(bound.admits(value) for bound in bounds)
    if origin is Literal:
        return any(value == known and type(value) is type(known) for known in arguments)
    if origin is tuple and arguments[0] is str and isinstance(value, str):
        return True
    if origin in {list, tuple}:
        return isinstance(value, list) and all(_fits(inner, arguments[0]) for inner in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, arguments[1]) for v in value.values())
    if kind is float:  # no whole number beyond the largest float becomes one
        return type(value) in {int, float} and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    if children_of(kind) is not None:
        return isinstance(value, dict)  # its keys are checked one by one
    return type(value) is kind


def _wrong(value: object, expected: Any, key: str) -> ConfigError:
    kinds = [kind for kind in _alternatives(expected) if kind is not types.NoneType]
    choices = [str(one) for kind in kinds if get_origin(kind) is Literal for one in get_args(kind)]
    near = get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    if str in kinds and isinstance(value, bool | int | float):
        hint = "; put it in quotes to make it text"
    meant = _described(expected)
    if len(kinds) == 1 and _fits(value, _plain_alternatives(kinds[0])[0]):  # out of its bounds
        meant = ", ".join(map(str, kinds[0].__metadata__)) + " or null" * _fits(None, expected)
    shown = json.dumps(value) if value is None or isinstance(value, bool) else f"{value!r:.60}"
    return ConfigError(f"{key} is {shown}, expected {meant}{hint}")


def _described(kind: Any, *, inside: bool = False) -> str:
    """A type in words; ``inside`` a list or mapping, where its value would be written."""
    said = [_described_one(one, inside=inside) for one in _alternatives(kind)]
    return " or ".join(dict.fromkeys(said))


def _described_one(kind: Any, *, inside: bool) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated and isinstance(kind.__metadata__[0], Written):
        return str(kind.__metadata__[0])
    if origin is Annotated:
        bounds = () if inside else map(str, kind.__metadata__)
        return ", ".join([_described_one(arguments[0], inside=inside), *bounds])
    if children := children_of(kind):
        return f"keys with values ({listing(children)})"
    if origin in {list, tuple}:
        return "a list " * (not inside) + f"[{_described(arguments[0], inside=True)}, ...]"
    if origin is dict:
        values = _described(arguments[1], inside=True)
        return "keys with values " * (not inside) + f"{{name: {values}, ...}}"
    if origin is Literal:
        many = not inside and len(arguments) > 1
        return ("one of " if many else "") + (", " if many else " or ").join(map(str, arguments))
    words = _WORDS.get(kind, getattr(kind, "__name__", str(kind)))
    return words.removeprefix("a ") if inside else words
