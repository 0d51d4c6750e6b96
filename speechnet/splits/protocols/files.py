"""Read the protocols, a small YAML each.

Its keys are those of ``Protocol``, but for the folds, which are one of

- ``loso: true``: each speaker is a fold, in the order of ``speakers``;
- ``folds``: for each fold its test speakers;
- ``files``: for each fold its test files, without folder and ending.

Names stand in one text, separated by blanks.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from speechnet.core.errors import ConfigError
from speechnet.core.reading import parse_yaml
from speechnet.splits.protocols.protocol import Protocol, Reference

_FOLDER = resources.files("speechnet.splits.protocols")


def named_protocols() -> list[str]:
    """The names of all protocols, sorted."""
    files = (entry.name for entry in _FOLDER.iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


@cache
def load_protocol(name: str) -> Protocol:
    """Read a protocol.

    Args:
        name: one of ``named_protocols()``.

    Returns:
        The protocol.

    Raises:
        ConfigError: there is none of this name.
    """
    known = named_protocols()
    if name not in known:
        raise ConfigError(
            f"data.split.protocol: no protocol is called {name!r}; expected {', '.join(known)}"
        )
    raw = parse_yaml((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    speakers = tuple(raw.pop("speakers").split())
    unit, folds = _folds(raw, speakers)
    return Protocol(
        name=name,
        corpora=tuple(raw.pop("corpora")),
        classes=tuple(raw.pop("classes")),
        speakers=speakers,
        unit=unit,
        folds=folds,
        absent={int(fold): tuple(which) for fold, which in raw.pop("absent", {}).items()},
        references=tuple(Reference(**entry) for entry in raw.pop("references")),
        **raw,
    )


def _folds(raw: dict[str, Any], speakers: tuple[str, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The unit of the folds, and the folds."""
    if raw.pop("loso", False):
        return "speaker", tuple((speaker,) for speaker in speakers)
    unit, key = ("file", "files") if "files" in raw else ("speaker", "folds")
    return unit, tuple(tuple(names.split()) for names in raw.pop(key))
