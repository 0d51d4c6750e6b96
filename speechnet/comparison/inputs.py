"""Which runs are to be compared, checked before anything that computes is imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Final

from speechnet.core.errors import ConfigError
from speechnet.core.wording import counted
from speechnet.experiment.run_location import check_writable, read_info

MOST: Final = len(ascii_uppercase)
"""Each run goes by a letter."""


def check_given(paths: Sequence[Path], out: Path | None) -> None:
    """Check that there are two runs or more, each given once, and that ``out`` is none of them.

    Raises:
        ConfigError: too few, too many, one twice, or ``out`` is a run folder.
        DataError: there is no such run, or it is incomplete.
        StorageError: ``out`` can't be written to.
    """
    if not 2 <= len(paths) <= MOST:
        raise ConfigError(
            f"{counted(len(paths), 'run')} given, expected 2 to {MOST} run folders to compare"
        )
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise ConfigError(
                f"{path} is the same folder as {seen[path.resolve()]}; give each run once"
            )
        seen[path.resolve()] = path
    if out is not None:
        if (out / "run.json").exists():
            raise ConfigError(f"--out {out} is a run folder, whose tables would be overwritten")
        check_writable(out)
    for path in paths:
        read_info(path)
