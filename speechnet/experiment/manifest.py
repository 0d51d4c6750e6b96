"""``SHA256SUMS``: the files of a finished run with their checksums; ``sha256sum -c`` reads it too.

It leaves out what later commands write (figures, the report, an exported network, the tables of
``test``) and the logs, which no command reads. The sums detect damage and changes. They are no
signature: whoever changes a file can change its sum.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from speechnet.core.errors import DataError
from speechnet.core.files import write_whole
from speechnet.core.reading import open_regular, read_regular
from speechnet.core.safe_text import printable
from speechnet.core.wording import listing

NAME: Final = "SHA256SUMS"

_LEFT_OUT: Final = frozenset(
    {"figures", "report.html", "export", "tests", "logs", "tensorboard", "INCOMPLETE", NAME}
)
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([^\0]+)")
_LARGEST_SUMS: Final = 2**26
_LARGEST_FILE: Final = 2**34
"""Bytes; a sparse file of terabytes takes no disk space and hours to read."""


def write_sums(folder: Path) -> dict[str, str]:
    """Write ``SHA256SUMS`` for all files of a run, whole or not at all, and return the sums.

    Raises:
        OSError: there is no space or no permission.
    """
    sums = {name: _sum(folder / name) for name in sorted(_own(folder))}
    lines = [f"{found}  {name}\n" for name, found in sums.items()]
    write_whole(folder / NAME, os.fsencode("".join(lines)))
    return sums


def read_sums(folder: Path) -> dict[str, str]:
    """Read ``SHA256SUMS``: each file's sum by its name. Nothing is compared yet.

    Raises:
        DataError: it is missing or damaged.
    """
    path = folder / NAME
    try:
        text = os.fsdecode(read_regular(path, largest=_LARGEST_SUMS))
    except FileNotFoundError:
        raise DataError(
            f"{folder} is incomplete: {NAME} is gone, which tells whether anything was changed; "
            "copy the whole folder from where it was made"
        ) from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from error
    sums = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        found = _LINE.fullmatch(line)
        if not found:
            raise DataError(
                f"{path} is damaged: line {number} is {printable(line[:80])!r}, expected 64 "
                "hexadecimal digits, two spaces and a name"
            )
        sums[found[2]] = found[1]
    return sums


def check_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Compare a run folder with its sums.

    Files added beside the run's tables are ignored; those added beside its models are refused,
    since they would be read.

    Raises:
        DataError: a file has changed, is gone, lies elsewhere, or was added; each is named.
    """
    root = folder.resolve()
    faults = [
        f"{printable(name)} {fault}"
        for name, digest in sums.items()
        if (fault := _fault(root, name, digest))
    ]
    if "run.json" not in sums:
        faults.append(f"{NAME} doesn't list run.json")
    inner = {name.rpartition("/")[0] for name in sums} - {""}
    added = sorted(
        name for name in _own(folder) if name not in sums and name.rpartition("/")[0] in inner
    )
    faults += [f"{printable(name)} was added" for name in added]
    if faults:
        raise DataError(
            f"{folder} isn't as its run left it: {listing(faults, 5)}; copy the "
            "folder again from where it was made, or run fit again"
        )


def _own(folder: Path) -> Iterator[str]:
    """The files that get a sum; hidden ones are the system's, or unfinished."""
    for inner in folder.iterdir():
        if inner.name in _LEFT_OUT or inner.name.startswith("."):
            continue
        if inner.is_dir() and not inner.is_symlink():
            yield from (f"{inner.name}/{name}" for name in _own(inner))
        else:
            yield inner.name


def _fault(root: Path, name: str, digest: str) -> str | None:
    path = root / name
    try:
        # "..", an absolute path or a link leads elsewhere.
        if not path.is_relative_to(root) or path.resolve() != path:
            return "is a link or lies outside the folder"
        if not path.is_file():
            return "is gone"
        if path.stat().st_size > _LARGEST_FILE:
            return f"is larger than {_LARGEST_FILE:,} bytes, as no file of a run is"
        return None if _sum(path) == digest else "has changed"
    except (OSError, RuntimeError) as error:  # a circle of links raises RuntimeError
        return f"can't be read ({error})"


def _sum(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
