"""Sections of the configuration that map names of a registry to settings.

Such a section has a default, which a YAML that names anything in it replaces. A name without
settings has its defaults. The flag of a single name adds to what is there or changes it; ``null``
takes the name out again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, field, fields, make_dataclass
from typing import Any, get_type_hints

from speechnet.config.arguments import Given


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
    for kind in settings.values():
        # Where annotations are text, jsonargparse imports what their module imports for type
        # checkers alone, such as torch.
        hints = get_type_hints(kind)
        signature = vars(kind)["__init__"].__annotations__
        signature |= {key: hints[key] for key in signature if key in hints}
    kinds = [
        (key, kind | None, field(default_factory=kind) if key in default else None)
        for key, kind in settings.items()
    ]
    made = make_dataclass(name, kinds)
    lines = [
        f"        {key}: {(kind.__doc__ or '').strip().splitlines()[0]}"
        for key, kind in settings.items()
    ]
    made.__doc__ = "\n".join(["By name, each with its settings.", "", "    Attributes:", *lines])
    return made


def chosen(section: Any) -> dict[str, Any]:
    """The settings of all names that a section holds, in the registry's order."""
    held = {each.name: getattr(section, each.name) for each in fields(section)}
    return {name: settings for name, settings in held.items() if settings is not None}


def default_names(section: Any, key: str, given: Sequence[Given]) -> dict[str, Any]:
    """What a section holds before anything given is put over it: its default, or nothing of it.

    Names given without settings, as in ``models: {svm: }``, get empty ones.

    Args:
        section: an instance with its defaults.
        key: of the section, such as ``data.features``.
        given: what the command line says; is changed.
    """
    said = [one.below(key) for one in given if not one.key.startswith(f"{key}.")]
    for names in said:
        names |= {name: {} for name, settings in names.items() if settings is None}
    return dict.fromkeys(asdict(section)) if any(said) else asdict(section)
