"""Check plain values against the types they should have; say in plain words what is wrong.

jsonargparse checks the same, but says it in the words of Python's type system, leaves unknown keys
without values unmentioned, and names an unknown key without its place.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from speechnet.core.errors import ConfigError
from speechnet.core.reading import plain_value
from speechnet.core.wording import listing

_WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    types.NoneType: "null",
}
_NEAR: Final = 0.6
"""Likeness, 0 to 1, from which on one word may be meant by another."""
_SAME: Final = 0.8
"""The same, for a word in another section."""
_ARTICLES: Final[dict[Any, str]] = {int: "a ", float: "a "}


class Schema:
    """Every key a configuration may have, and what each may hold.

    Args:
        keys: top-level keys. What one may hold is a dataclass, a mapping of further keys, or any
            annotation made of ``Literal``, unions, lists, dicts, plain types and bounds on them
            (``speechnet.core.bounds``). Other types are left unchecked.
        refused: keys that one could expect, with the reason why they can't be set.
    """

    def __init__(
        self, keys: Mapping[str, Any], *, refused: Mapping[str, str] | None = None
    ) -> None:
        self._keys = keys
        self._refused = refused or {}

    def check_key(self, key: str) -> None:
        """Check that there is such a key.

        Raises:
            ConfigError: there isn't.
        """
        self._expected(key)

    def is_section(self, key: str) -> bool:
        """Whether there is such a key, and it has keys below it."""
        try:
            return _children(self._expected(key)) is not None
        except ConfigError:
            return False

    def check(self, settings: object, key: str = "") -> None:
        """Check a value and all below it.

        Args:
            settings: plain types, as read from a YAML.
            key: where the value belongs, such as ``data.corpus``; empty for the whole.

        Raises:
            ConfigError: an unknown key, or a value that isn't what its key expects.
        """
        self._check(settings, self._expected(key), key)

    def check_text(self, key: str, text: str) -> None:
        """Check what a command line gives for a key: a YAML value, or text as it stands.

        Raises:
            ConfigError: see ``check``.
        """
        value = plain_value(text)
        try:
            self.check(value, key)
        except ConfigError:
            if isinstance(value, dict | list) or not _fits(text, self._expected(key)):
                raise

    def _expected(self, key: str) -> Any:
        """What a key may hold; ``Any`` below what isn't checked."""
        expected: Any = self._keys
        for part in filter(None, key.split(".")):
            children = _children(expected)
            if children is not None:
                if part not in children:
                    raise self._unknown(key)
                expected = children[part]
            elif (values := _values_of_mapping(expected)) is not None:
                expected = values
            elif _unchecked(expected):
                return Any
            else:
                raise self._unknown(key)
        return expected

    def _check(self, value: object, expected: Any, key: str) -> None:
        children = _children(expected)
        if children is None:
            self._check_value(value, expected, key)
        elif isinstance(value, dict):
            for name, inner in value.items():
                path = f"{key}.{name}" if key else str(name)
                if name not in children and key.endswith("]"):  # paths don't lead into lists
                    raise ConfigError(f"unknown key {path!r}; known are {', '.join(children)}")
                if name not in children:
                    raise self._unknown(path)
                self._check(inner, children[name], path)
        elif value is not None or not _fits(None, expected):
            raise _wrong(value, expected, key)

    def _check_value(self, value: object, expected: Any, key: str) -> None:
        inner = [_bare(kind) for kind in _alternatives(expected) if kind is not types.NoneType]
        only = inner[0] if len(inner) == 1 else None
        if isinstance(value, list) and get_origin(only) is list:
            for position, element in enumerate(value):
                self._check(element, get_args(only)[0], f"{key}[{position}]")
        elif isinstance(value, dict) and get_origin(only) is dict:
            for name, element in value.items():
                self._check(element, get_args(only)[1], f"{key}.{name}")
        if not _fits(value, expected):
            raise _wrong(value, expected, key)

    def _unknown(self, key: str) -> ConfigError:
        if key in self._refused:
            return ConfigError(f"{key} can't be set: {self._refused[key]}")
        if near := self._nearest(key):
            return ConfigError(f"unknown key {key!r}; the nearest known one is {near!r}")
        section = self._divided(key)[0]
        inner = _children(self._expected(section)) or {}
        known = listing(inner, 40)
        said = f"{section} has {known}" if section and inner else f"known are {known}"
        return ConfigError(f"unknown key {key!r}; {said if inner else f'{section} has no keys'}")

    def _nearest(self, key: str) -> str | None:
        """The key that was meant; None where none is near."""
        known = list(_paths(self._keys))
        right, wrong, rest = self._divided(key)
        beside = [path for path in known if path.rpartition(".")[0] == right]
        siblings = {path.rpartition(".")[2].casefold(): path for path in beside}
        if near := get_close_matches(wrong.casefold(), siblings, n=1, cutoff=_NEAR):
            whole = ".".join([siblings[near[0]], *rest])
            return whole if whole in known else siblings[near[0]]

        def likeness(path: str) -> float:  # the right word perhaps, in the wrong place
            last = SequenceMatcher(None, key.rpartition(".")[2], path.rpartition(".")[2])
            return SequenceMatcher(None, key, path).ratio() + last.ratio()

        best = max(known, key=likeness)
        near = get_close_matches(key.rpartition(".")[2], [best.rpartition(".")[2]], cutoff=_SAME)
        return best if near else None

    def _divided(self, key: str) -> tuple[str, str, list[str]]:
        """The part of an unknown key that is known, the first word that isn't, and the rest."""
        right: list[str] = []
        children: Mapping[str, Any] | None = self._keys
        words = key.split(".")
        for word in words[:-1]:
            if children is None or word not in children:
                break
            right.append(word)
            children = _children(children[word])
        return ".".join(right), words[len(right)], words[len(right) + 1 :]


def _children(expected: Any) -> Mapping[str, Any] | None:
    """The keys below a section, or None if it isn't one."""
    if isinstance(expected, Mapping):
        return expected
    for kind in _alternatives(expected):
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return hints_of(kind)
    return None


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """What each field of a dataclass may hold, with its bounds."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _paths(children: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, expected in children.items():
        yield f"{above}{name}"
        if below := _children(expected):
            yield from _paths(below, f"{above}{name}.")


def _alternatives(expected: Any) -> tuple[Any, ...]:
    if get_origin(expected) in {Union, types.UnionType}:
        return tuple(kind for part in get_args(expected) for kind in _alternatives(part))
    return (expected,)


def _bare(kind: Any) -> Any:
    """A type without its bounds."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _values_of_mapping(expected: Any) -> Any:
    for kind in map(_bare, _alternatives(expected)):
        if get_origin(kind) is dict:
            return get_args(kind)[1]
    return None


def _unchecked(expected: Any) -> bool:
    """Whether some alternative is a type this module doesn't know."""
    return any(
        _children(kind) is None
        and get_origin(kind) not in {list, dict, Literal}
        and kind not in _WORDS
        for kind in map(_bare, _alternatives(expected))
    )


def _fits(value: object, expected: Any) -> bool:
    return _unchecked(expected) or any(_fits_one(value, kind) for kind in _alternatives(expected))


def _fits_one(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bare, *bounds = arguments
        return _fits_one(value, bare) and all(bound.admits(value) for bound in bounds)
    if origin is Literal:
        return any(value == known and type(value) is type(known) for known in arguments)
    if origin is list:
        return isinstance(value, list) and all(_fits(element, arguments[0]) for element in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, arguments[1]) for v in value.values())
    if kind is float:
        # No whole number beyond the largest float becomes one.
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return abs(value) <= sys.float_info.max
    if _children(kind) is not None:
        return isinstance(value, dict)  # whose keys are checked one by one
    return type(value) is kind


def _wrong(value: object, expected: Any, key: str) -> ConfigError:
    choices = [
        str(choice)
        for kind in _alternatives(expected)
        if get_origin(kind) is Literal
        for choice in get_args(kind)
    ]
    near = get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    if str in _alternatives(expected) and isinstance(value, bool | int | float):
        hint = "; put it in quotes to make it text"
    place = key or "the configuration"
    kinds = [kind for kind in _alternatives(expected) if kind is not types.NoneType]
    meant = _described(expected)
    if len(kinds) == 1 and _fits(value, _bare(kinds[0])):  # out of its bounds
        meant = ", ".join(map(str, kinds[0].__metadata__)) + " or null" * _fits(None, expected)
    return ConfigError(f"{place} is {_shown(value)}, expected {meant}{hint}")


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _described(expected: Any) -> str:
    """What is expected, as a sentence goes on after "expected"."""
    return " or ".join(dict.fromkeys(_described_one(kind) for kind in _alternatives(expected)))


def _described_one(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        return ", ".join([_described_one(_bare(kind)), *map(str, kind.__metadata__)])
    if children := _children(kind):
        keys = ", ".join(list(children)[:6]) + (", ..." if len(children) > 6 else "")
        return f"keys with values ({keys})"
    if get_origin(kind) is list:
        return f"a list {_sketched(kind)}"
    if get_origin(kind) is dict:
        return f"keys with values {_sketched(kind)}"
    if get_origin(kind) is Literal and len(get_args(kind)) > 1:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return _ARTICLES.get(kind, "") + _sketched(kind)


def _sketched(expected: Any) -> str:
    """A type as one would write its value: ``[whole number, ...]``."""
    sketches = []
    for kind in map(_bare, _alternatives(expected)):
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is list:
            sketches.append(f"[{_sketched(arguments[0])}, ...]")
        elif origin is dict:
            sketches.append(f"{{name: {_sketched(arguments[1])}, ...}}")
        elif origin is Literal:
            sketches.append(" or ".join(map(str, arguments)))
        else:
            sketches.append(_WORDS.get(kind, getattr(kind, "__name__", str(kind))))
    return " or ".join(dict.fromkeys(sketches))
