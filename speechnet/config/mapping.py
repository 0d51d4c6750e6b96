"""Sections of the configuration that map names of a registry to settings.

Such a section has a default, which a YAML that names anything in it replaces; ``null`` takes a name
out again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, fields, make_dataclass
from typing import Any, get_type_hints

from speechnet.config.arguments import allow_imports, flags, said_below


def mapping_class(name: str, settings: Mapping[str, type], *, default: Collection[str]) -> Any:
    """Make the dataclass of a section, so that its keys are checked and documented like any others.

    Args:
        name: of the class.
        settings: what can be named, each with the dataclass of its settings, all of which have
            defaults.
        default: the names that are there unless others are given.

    Returns:
        A dataclass with a field for each name, which holds its settings or None.
    """
    for kind in settings.values():  # jsonargparse names each by its shortest path
        parents = kind.__module__.split(".")
        allow_imports(".".join([*parents[: n + 1], kind.__qualname__]) for n in range(len(parents)))
        # Where annotations are text, jsonargparse imports what their module imports for type
        # checkers alone, such as torch.
        hints = get_type_hints(kind)
        signature = vars(kind)["__init__"].__annotations__
        signature |= {key: hints[key] for key in signature if key in hints}
    made = make_dataclass(
        name,
        [
            (key, kind | None, field(default_factory=kind) if key in default else None)
            for key, kind in settings.items()
        ],
    )
    said = {key: (kind.__doc__ or "").strip().splitlines()[0] for key, kind in settings.items()}
    lines = [
        f"        {key}: {line if line[1:2].isupper() else line[0].lower() + line[1:]}"
        for key, line in said.items()
    ]
    made.__doc__ = "\n".join(["By name, each with its settings.", "", "    Attributes:", *lines])
    return made


def chosen(section: Any) -> dict[str, Any]:
    """The settings of all names that a section holds, in the registry's order."""
    held = {each.name: getattr(section, each.name) for each in fields(section)}
    return {name: settings for name, settings in held.items() if settings is not None}


def only_named(
    arguments: Sequence[str], key: str, default: Collection[str], *, by_flag: bool = True
) -> list[str]:
    """The words of a command line, with what takes the default of a section out of it if need be.

    Args:
        arguments: the command line without the verb.
        key: of the section, such as ``data.features``.
        default: the names that it holds by default.
        by_flag: whether the flag of a single name replaces the default too; else it adds to it.
    """
    named: set[str] = set()
    replaced = False
    for flag, text in flags(arguments):
        said = said_below(flag, text, key)
        named |= said.keys()
        replaces = by_flag or not flag.startswith(f"{key}.")
        replaced |= replaces and any(value is not None for value in said.values())
    unnamed = [name for name in default if name not in named] if replaced else []
    return [*(f"--{key}.{name}=null" for name in unnamed), *arguments]
