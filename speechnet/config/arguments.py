"""Read the words of a command: YAML files, the later one wins, and flags over them.

jsonargparse writes ``--help``. It doesn't read the words: its messages are in the terms of Python's
type system, it merges lists of sections position by position, and it misses unknown keys that
hold nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from jsonargparse import ArgumentParser, set_parsing_settings

from speechnet.core.errors import ConfigError
from speechnet.core.reading import plain_value, read_yaml
from speechnet.core.schema import Schema, build, children_of, hints_of

Options = TypeVar("Options")

IMPORTABLE: Final = "lightning.pytorch"
"""The only package that a YAML may name callbacks, strategies and the like of."""
_HELP: Final = frozenset({"-h", "--help"})
_HELP_OF: Final = ".help"
_PRINT: Final = "--print_config"

# A dataclass is a section, even one that has a base class: no YAML can name a subclass of it.
set_parsing_settings(
    subclasses_disabled=[is_dataclass],
    import_path_denylist=["*"],
    import_path_allowlist=[IMPORTABLE],
)


def command_parser(command: str, description: str) -> ArgumentParser:
    """A parser that knows ``--config``, ``--print_config`` and ``--help``, and nothing else yet."""
    parser = ArgumentParser(
        prog=f"python -m speechnet {command}",
        description=description,
        epilog="after every command: --quiet, results and errors only; --verbose, more messages",
        exit_on_error=False,
        print_config=None,
    )
    parser.add_argument("--config", help="a YAML with any of the keys below; flags go over it")
    parser.add_argument(
        _PRINT, action="store_true", help="print the whole configuration as YAML, and exit"
    )
    return parser


def options_parser(
    command: str, description: str, options: type, *, without: str = ""
) -> ArgumentParser:
    """The parser of a command whose options are the documented fields of a dataclass.

    Args:
        command: its name.
        description: what it does.
        options: the dataclass.
        without: the field that takes the words without a flag, which the caller adds.
    """
    parser = command_parser(command, description)
    parser.add_class_arguments(options, skip={without})
    return parser


@dataclass(frozen=True)
class Given:
    """One thing that a command line says.

    Attributes:
        key: such as ``data.corpus``; empty for a whole configuration file and for words without a
            flag.
        value: plain, of the key's type.
        adds: whether the value is added to a list, as ``--key+`` says.
        file: whether a file says it, over which flags count.
    """

    key: str
    value: Any
    adds: bool = False
    file: bool = False

    def below(self, section: str) -> dict[str, Any]:
        """What is said of the keys of a section, such as ``data.features``."""
        value = self.value
        for part in reversed(self.key.split(".") if self.key else []):
            value = {part: value}
        for part in section.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else {}


def read_options(
    parser: ArgumentParser, arguments: Sequence[str], options: type[Options]
) -> Options:
    """Read the options of a command.

    Args:
        parser: as ``options_parser`` makes it.
        arguments: the words that follow the command.
        options: the dataclass.

    Raises:
        ConfigError: see ``parse``.
    """
    hints = hints_of(options)  # type: ignore[arg-type] # mypy doubts that a class has a hash
    values = parse(parser, arguments, Schema(hints))
    made: Options = build(options, {name: values[name] for name in hints})
    return made


def parse(parser: ArgumentParser, arguments: Sequence[str], schema: Schema) -> dict[str, Any]:
    """Read the words of a command.

    Args:
        parser: knows the command's keys, their defaults and the words without a flag.
        arguments: the words that follow the command.
        schema: the same keys with their types.

    Returns:
        The value of every key, sections as dicts.

    Raises:
        ConfigError: see ``read_words``; or a key without a default isn't given.
        SystemExit: see ``read_words``.
    """
    takes_words = next((one.dest for one in parser._actions if not one.option_strings), "")
    values = parser.get_defaults().as_dict()
    for one in read_words(arguments, schema, lambda: parser, free=takes_words):
        values = merged(schema.keys, values, one)
    for action in parser._actions:
        if action.required and values.get(action.dest) is None:
            flag = f"--{action.dest} VALUE" if action.option_strings else action.dest.upper()
            raise ConfigError(f"{action.dest} is missing; give it as {flag}")
    print_if_asked(arguments, to_yaml({name: values[name] for name in schema.keys}))
    return values


def read_words(
    arguments: Sequence[str],
    schema: Schema,
    parser: Callable[[], ArgumentParser],
    *,
    free: str = "",
) -> list[Given]:
    """Read flags and configuration files: first the files in their order, then the flags in theirs.

    Args:
        arguments: the words that follow the command.
        schema: every key with its type.
        parser: makes the parser that writes the help.
        free: the key that takes the words without a flag.

    Raises:
        ConfigError: an unknown key, with the nearest known one; a value that isn't what its key
            expects; a flag without a value; a configuration file that can't be used.
        SystemExit: with code 0, after ``--help`` and ``--SECTION.help``.
    """
    _help_if_asked(arguments, parser)
    given: list[Given] = []
    words: list[str] = []
    for key, text in flags(arguments):
        name = key.removesuffix("+")
        if not key:
            words.append(text)
        elif key == "config":
            given.append(Given("", read_yaml(Path(text)), file=True))
            schema.check(given[-1].value)
        elif children_of(schema.expected(name)) is not None and Path(text).is_file():
            given.append(Given(key, read_yaml(Path(text)), file=True))
            schema.check(given[-1].value, key)
        elif name != key:
            value = plain_value(text)
            given.append(Given(name, value if isinstance(value, list) else [value], adds=True))
            schema.check(given[-1].value, name)
        else:
            given.append(Given(key, schema.read(key, text)))
    if words and not free:
        raise ConfigError(f"unexpected {words[0]!r}; settings are given as --key value")
    given.sort(key=lambda one: not one.file)
    return given + [Given(free, words)] * bool(words)


def _help_if_asked(arguments: Sequence[str], parser: Callable[[], ArgumentParser]) -> None:
    """Print all keys, or with a flag such as ``--models.mlp.help`` those of a section, and end."""
    if _HELP & set(arguments):
        parser().print_help()
        raise SystemExit(0)
    asked = {word for word in arguments if word.endswith(_HELP_OF)}
    if not asked:
        return
    whole = parser()
    for action in whole._actions:
        if asked & {*action.option_strings} and action.nargs == 0:  # else it needs a class
            section = ArgumentParser(prog=f"{whole.prog} ...", add_help=False)
            (kind,) = action._help_types  # type: ignore[attr-defined] # jsonargparse's own action
            section.add_class_arguments(kind, action.dest.removesuffix(_HELP_OF))
            section.print_help()
            raise SystemExit(0)


def flags(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each flag's key and text; words without a flag have an empty key."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            yield from (("", rest) for rest in words)
        elif not word.startswith("--"):
            yield "", word
        elif word != _PRINT:
            key, equals, text = word.removeprefix("--").partition("=")
            text = text if equals else next(words, "--")
            if not equals and text.startswith("--"):
                raise ConfigError(f"--{key} needs a value: --{key} VALUE")
            yield key, text


def merged(kinds: Mapping[str, Any], values: Any, given: Given) -> Any:
    """Put what is given over the values so far: sections key by key, anything else as a whole.

    A flag that leads into a mapping, such as ``data.targets.emotion``, changes one entry of it.

    Args:
        kinds: the types of all keys.
        values: the value of every key.
        given: a value with its key.
    """
    return _merged(kinds, values, given.key.split(".") if given.key else [], given)


def _merged(kind: Any, old: Any, path: Sequence[str], given: Given) -> Any:
    if not path and given.adds:
        return [*(old or []), *given.value]
    children = children_of(kind)
    if not path and (children is None or not isinstance(given.value, dict)):
        return given.value
    base = old if isinstance(old, dict) else _defaults(kind)
    changes = {path[0]: given} if path else {key: Given("", v) for key, v in given.value.items()}
    return base | {
        name: _merged(children[name] if children else Any, base.get(name), path[1:], change)
        for name, change in changes.items()
    }


def _defaults(kind: Any) -> dict[str, Any]:
    """A section's defaults as plain values."""
    for one in (*getattr(kind, "__args__", ()), kind):
        if is_dataclass(one) and isinstance(one, type):
            return asdict(one())
    return {}


def to_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as YAML, in their order."""
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def print_if_asked(arguments: Sequence[str], configuration: str) -> None:
    """Print a whole configuration and end the program, if the command line asks for it.

    Raises:
        SystemExit: with code 0, after ``--print_config``.
    """
    if _PRINT in arguments:
        print(configuration, end="")  # noqa: T201 - this is what was asked for
        raise SystemExit(0)
