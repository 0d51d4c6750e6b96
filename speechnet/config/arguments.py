"""Read the words of a command: flags override YAML files, and these the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from speechnet.config.schema import Schema, hints_of
from speechnet.core.errors import ConfigError
from speechnet.core.reading import plain_value, read_yaml

Options = TypeVar("Options")

_IMPORTABLE: Final = "lightning.pytorch"
_WITHOUT_VALUE: Final = frozenset({"help", "print_config"})

_allowed = {_IMPORTABLE, "speechnet.corpus.config"}


def allow_imports(paths: Iterable[str] = ()) -> None:
    """Let jsonargparse import dataclasses that it names itself, by module or by whole path.

    A YAML may name Lightning's own callbacks, strategies and the like, and import nothing else. A
    dataclass is a section, even one that has a base class: no YAML can name a subclass of it.
    """
    _allowed.update(paths)
    set_parsing_settings(
        subclasses_disabled=[is_dataclass],
        import_path_denylist=["*"],
        import_path_allowlist=sorted(_allowed),
    )


allow_imports()


def command_parser(command: str, description: str) -> ArgumentParser:
    """A parser that knows ``--config``, ``--print_config`` and ``--help``, and nothing else yet."""
    parser = ArgumentParser(
        prog=f"python -m speechnet {command}",
        description=description,
        epilog="after every command: --quiet, results and errors only; --verbose, more messages",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="a YAML with any of the keys below")
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
    parsed = parse(parser, arguments, Schema(hints))
    return options(**{name: parsed[name] for name in hints})


def parse(parser: ArgumentParser, arguments: Sequence[str], schema: Schema) -> Namespace:
    """Parse the words of a command.

    Args:
        parser: knows the command's keys.
        arguments: the words that follow the command.
        schema: the same keys, for messages in plain words.

    Raises:
        ConfigError: an unknown key, with the nearest known one; a value that isn't what its key
            expects; a configuration file that can't be used.
    """
    for key, text in flags(arguments):
        if key == "config":
            schema.check(read_yaml(Path(text)))
        elif schema.is_section(key) and Path(text).is_file():
            schema.check(read_yaml(Path(text)), key)
        elif key.endswith("+"):
            schema.check_key(key.removesuffix("+"))
        else:
            schema.check_text(key, text)
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise ConfigError(_in_words(str(error))) from error


def given_anew(arguments: Sequence[str], section: str, name: str) -> list[str]:
    """The words with ``--section.name=[]`` before each that gives this list of sections.

    jsonargparse merges a list into an earlier one of the same length, position by position: of two
    corpora in a file, those of a flag or a second file would keep labels and tables.

    Args:
        arguments: the words that follow the command.
        section: a top-level key.
        name: a key below it that holds a list of sections.
    """
    words: list[str] = []
    for position, word in enumerate(arguments):
        flag, equals, text = word.partition("=")
        following = "".join(arguments[position + 1 : position + 2])
        value = text if equals else following
        if flag == f"--{section}.{name}" or (
            flag in {"--config", f"--{section}"}
            and _holds(value, [name] if flag == f"--{section}" else [section, name])
        ):
            words.append(f"--{section}.{name}=[]")
        words.append(word)
    return words


def given_value(text: str) -> Any:
    """What a section is given on the command line: the content of a file, or a value."""
    return read_yaml(Path(text)) if Path(text).is_file() else plain_value(text)


def _holds(text: str, keys: Sequence[str]) -> bool:
    """Whether a file, or a value as a command line has it, says something of a key."""
    value = given_value(text)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def flags(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each flag's key and text; ``--key+`` adds to a list and is no less the key's.

    Raises:
        ConfigError: a flag without a value.
    """
    return ((key, text) for key, text, _ in _spoken(arguments) if key)


def _spoken(arguments: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Each flag's key, its text, and the words that say so; other words with an empty key."""
    words = iter(arguments)
    for word in words:
        if word == "--":
            yield "", "", [word, *words]
            return
        key, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or key in _WITHOUT_VALUE or key.endswith(".help"):
            yield "", "", [word]
            continue
        said = [word]
        if not equals:
            text = next(words, "--")
            said.append(text)
            if text.startswith("--"):
                raise ConfigError(f"--{key} needs a value: --{key} VALUE")
        yield key, text, said


def merged(arguments: Sequence[str], section: str, own: Mapping[str, Any]) -> list[str]:
    """The words with flags that give one entry of a mapping in full, all its entries in one.

    jsonargparse takes ``--data.features.functionals.include.f0 [mean]`` amiss, where the section
    above ``include`` may be null.

    Args:
        arguments: the command line without the verb.
        section: the key of sections by name, such as ``data.features``.
        own: by name the defaults of a section, an instance of a dataclass.
    """
    words: list[str] = []
    known = {(name, key): value for name, one in own.items() for key, value in vars(one).items()}
    for key, text, spoken in _spoken(arguments):
        parts = (
            key.removeprefix(f"{section}.").split(".", 2) if key.startswith(f"{section}.") else []
        )
        if len(parts) == 3 and isinstance(known.get((parts[0], parts[1])), dict):
            name, field, entry = parts
            known[name, field] = known[name, field] | {entry: plain_value(text)}
            whole = json.dumps(known[name, field])
            words.append(f"--{section}.{name}.{field}={whole}")
            continue
        if key:
            for name, settings in said_below(key, text, section).items():
                if isinstance(settings, dict):
                    known |= {(name, field): value for field, value in settings.items()}
        words += spoken
    return words


def said_below(key: str, text: str, section: str) -> dict[str, Any]:
    """What a flag says of the names in a section: a file, the section, or something below it.

    Args:
        key: the flag's.
        text: its value, or the name of a file.
        section: such as ``data.features``.
    """
    if key.startswith(f"{section}."):
        value, *path = plain_value(text), *reversed(key.removeprefix(f"{section}.").split("."))
        for part in path:
            value = {part: value}
        return dict(value)
    if key != "config" and not f"{section}.".startswith(f"{key}."):
        return {}
    value = given_value(text)
    rest = section if key == "config" else section.removeprefix(key)
    for part in filter(None, rest.split(".")):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _in_words(message: str) -> str:
    """What jsonargparse says of values that the schema leaves to it, in one line."""
    key = re.search(r'Parser key "([^"]+)"', message)
    denied = re.search(r"Importing '([^']+)' is not allowed", message)
    if key and denied:
        return (
            f"{key[1]} names {denied[1]!r}, expected something from {_IMPORTABLE}: "
            "a configuration can't import anything else"
        )
    if found := re.search(r"Expected a <class 'dict'>\. Got value: (.*)", message):
        return (
            f"{key[1] if key else 'a section'} is {found[1]!r}, expected keys with values, such as "
            "{name: null}; a blank stands after each colon"
        )
    if unexpected := re.search(r"unrecognized arguments: (.*)", message):
        return f"unexpected {unexpected[1]!r}; settings are given as --key value"
    return " ".join(message.split())
