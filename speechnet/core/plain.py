"""Plain values, as a YAML gives them, made into dataclasses."""

from __future__ import annotations

import types
from collections.abc import Collection
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from speechnet.core.errors import ConfigError
from speechnet.core.wording import did_you_mean, listing

T = TypeVar("T")

_PLAIN: Final[dict[Any, tuple[tuple[type, ...], str]]] = {
    str: ((str,), "text"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


def decode(kind: type[T], raw: object, where: str, *, keys: Collection[str] | None = None) -> T:
    """Make a dataclass of a mapping.

    Args:
        kind: a dataclass whose fields are text, numbers, booleans, ``Literal`` of text, other such
            dataclasses, dicts of these, or ``tuple[..., ...]``, which is a list. A list of texts
            may be written as one text, separated by blanks.
        raw: what was read.
        where: what it is, for messages.
        keys: the keys that are known; by default all fields.

    Raises:
        ConfigError: a key is unknown or missing, or a value isn't what its field expects.
    """
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} must be a mapping of keys to values, not {raw!r:.60}")
    hints, every = get_type_hints(kind), {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    known = every if keys is None else keys
    for key in raw:
        if key not in known:
            raise ConfigError(
                f"{where} has an unknown key {key!r}{did_you_mean(str(key), known)}; known are "
                f"{listing(sorted(known), 20)}"
            )
    for name, field in every.items():
        if name not in raw and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing")
    return kind(
        **{name: _value(hints[name], value, f"{where}: {name}") for name, value in raw.items()}
    )


def _value(hint: Any, raw: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:  # with None
        return None if raw is None else _value(arguments[0], raw, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return raw if isinstance(raw, hint) else decode(hint, raw, where)
    if origin is Literal:
        if raw not in arguments:
            raise ConfigError(f"{where} is {raw!r:.60}, expected one of {listing(arguments)}")
        return raw
    if origin is tuple:
        each = raw.split() if isinstance(raw, str) and arguments[0] is str else raw
        if not isinstance(each, list):
            raise ConfigError(f"{where} must be a list, not {raw!r:.60}")
        return tuple(_value(arguments[0], one, f"{where}[{n}]") for n, one in enumerate(each))
    if origin is dict:
        if not isinstance(raw, dict):
            raise ConfigError(f"{where} must be a mapping of keys to values, not {raw!r:.60}")
        of_keys, of_values = arguments
        return {
            _value(of_keys, _text(of_keys, key), f"{where}: {key!r}"): _value(
                of_values, _text(of_values, value), f"{where}.{key}"
            )
            for key, value in raw.items()
        }
    accepted, words = _PLAIN.get(hint, ((object,), ""))
    if not isinstance(raw, accepted) or (isinstance(raw, bool) and hint in {int, float}):
        # YAML reads an unquoted no, off or 1 as something other than text.
        quotes = "; put it in quotes" if hint is str and isinstance(raw, bool | int) else ""
        raise ConfigError(f"{where} must be {words}, not {raw!r:.60}{quotes}")
    return raw


def _text(hint: Any, raw: Any) -> Any:
    """In a mapping of texts a whole number is one: codes are written so."""
    return str(raw) if hint is str and type(raw) is int else raw
