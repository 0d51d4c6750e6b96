"""Paths in a table that was made on another machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import PureWindowsPath
from typing import Final

from speechnet.core.safe_text import from_cell

_LOOKED_AT: Final = 1_000
"""The number of names from which the other machine's folder is found."""


class OtherMachine:
    r"""Translates paths of another machine to this one.

    They may have backslashes and begin with a folder such as ``C:\Users\me\data`` or
    ``/content/drive/MyDrive``. The same folder is removed from all, so that two recordings there
    never become one here. A spreadsheet may have put an apostrophe in front (``core.safe_text``).

    Args:
        names: the table's paths.
        there: whether a path, relative to the folder that is searched, leads to a recording.

    Attributes:
        folder: the folder that is removed; empty if there is none.
    """

    def __init__(self, names: Iterable[str], there: Callable[[str], bool]) -> None:
        elsewhere = (_slashed(name) for name in names if _is_elsewhere(name))
        self.folder = _folder(list(islice(elsewhere, _LOOKED_AT)), there)

    def spellings(self, name: str) -> Iterator[str]:
        """Other spellings of a path that doesn't exist."""
        slashed = _slashed(name)
        if self.folder and _is_elsewhere(name) and slashed.startswith(f"{self.folder}/"):
            yield slashed[len(self.folder) + 1 :]
        elif slashed != name:
            yield slashed
        if (unmarked := from_cell(slashed)) != slashed:
            yield unmarked


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _is_elsewhere(name: str) -> bool:
    """Whether a path is absolute, but not on this machine."""
    absolute = name.startswith("/") or PureWindowsPath(name).drive != ""
    return absolute and not os.path.exists(name)  # noqa: PTH110 - a long name isn't a file


def _folder(paths: Sequence[str], there: Callable[[str], bool]) -> str:
    """The shortest common folder whose removal makes one of the paths exist here."""
    parts = [path.split("/") for path in paths]
    common = takewhile(
        lambda level: len(set(level)) == 1, zip(*(one[:-1] for one in parts), strict=False)
    )
    begins = [level[0] for level in common]
    for count in range(1, len(begins) + 1):
        if any(there("/".join(one[count:])) for one in parts):
            return "/".join(begins[:count])
    return ""
