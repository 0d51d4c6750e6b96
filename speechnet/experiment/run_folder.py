"""The run folder: its files are written whole or not at all, and checked when they are read."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd

from speechnet.console.progress import stage
from speechnet.core.errors import DataError
from speechnet.core.files import absolute, storage_errors, write_whole
from speechnet.core.reading import open_regular
from speechnet.core.version import __version__
from speechnet.evaluation.selection import Choice, choose_model
from speechnet.experiment.manifest import check_sums, read_sums, write_sums
from speechnet.experiment.run_info import FORMAT, check_info
from speechnet.experiment.run_location import INCOMPLETE, next_version, read_info
from speechnet.experiment.run_tables import as_read, read_table, table_bytes

_PACKAGES: Final = (
    *("torch", "lightning", "scikit-learn", "librosa"),
    *("noisereduce", "numpy", "scipy", "pandas"),
)


@dataclass(eq=False)
class RunFolder:
    """One run's folder, ``<out>/<experiment>/version_<N>``.

    It holds a file ``INCOMPLETE`` until ``finish``; a run that was killed keeps it.
    """

    path: Path  # absolute
    info: dict[str, Any]  # the content of run.json
    sums: Mapping[str, str] | None = None  # each file's SHA-256; None while the run goes on
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def create(cls, out: Path, experiment: str, *, seed: int) -> RunFolder:
        """Make the next free version.

        Raises:
            StorageError: no space or no permission.
        """
        path = next_version(absolute(out) / experiment)
        with storage_errors(path):
            text = "This run has not finished: it goes on, was killed, or failed.\n"
            (path / INCOMPLETE).write_text(text, encoding="utf-8")
        info = {
            "format": FORMAT,
            "speechnet": __version__,
            "experiment": experiment,
            "seed": seed,
            "started": _now(),
            "git": _git_revision(),
            "python": platform.python_version(),
            "machine": {
                "system": platform.platform(),
                "processor": platform.machine(),
                "cores": os.cpu_count(),
            },
            "versions": {name: version(name) for name in _PACKAGES},
            "seconds": {},
        }
        return cls(path, info)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a finished run, and check that nothing has changed since it finished.

        Raises:
            DataError: there is none, or it is incomplete, of another format, or changed.
        """
        path = absolute(path)
        info = read_info(path)
        check_info(path, info)
        sums = read_sums(path)
        check_sums(path, sums)
        return cls(path, info, sums=sums)

    @property
    def labels(self) -> dict[str, str]:
        """What the models are called in figures and tables."""
        labels: dict[str, str] = self.info.get("labels", {})
        return labels

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show the stage, and add the seconds that the block takes to ``info["seconds"]``."""
        begun = time.perf_counter()
        try:
            with stage(name):
                yield
        finally:
            spent = self.info["seconds"].get(name, 0.0) + time.perf_counter() - begun
            self.info["seconds"][name] = round(spent, 3)

    def fold(self, number: int) -> Path:
        """The folder of one fold's models."""
        return self.path / f"fold_{number}"

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            StorageError: no space or no permission.
        """
        with storage_errors(self.path):
            write_whole(self.path / name, content)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as CSV or Parquet, by the ending of ``name``, whole or not at all.

        It stays in memory, so that this process doesn't read its own tables.
        """
        parquet = name.endswith(".parquet")
        self.write(name, table_bytes(table, parquet=parquet))
        self._tables[name] = table if parquet else as_read(table)

    def write_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write tables by their file names."""
        for name, table in tables.items():
            self.write_table(name, table)

    def read_table(self, name: str) -> pd.DataFrame:
        """Read a CSV of the run; labels, ids and folds stay text.

        Raises:
            DataError: it is missing or damaged, or the run didn't write it.
        """
        if self.sums is not None and name not in self.sums and (self.path / name).exists():
            raise DataError(f"{self.path / name} was added after the run: remove it")
        return self._read(name, lambda: read_table(self.path / name))

    def read_predictions(
        self, columns: list[str] | None = None, filters: list[tuple[str, str, str]] | None = None
    ) -> pd.DataFrame:
        """Read ``predictions.parquet``: all of it, or some columns or rows.

        Raises:
            DataError: it is missing or damaged.
        """
        name = "predictions.parquet"

        def read() -> pd.DataFrame:
            with open_regular(self.path / name) as file:
                return pd.read_parquet(file, columns=columns, filters=filters)

        return self._read(name, read, keep=not (columns or filters))

    def _read(
        self, name: str, read: Callable[[], pd.DataFrame], *, keep: bool = True
    ) -> pd.DataFrame:
        if keep and name in self._tables:
            return self._tables[name]
        try:
            table = read()
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.path / name} can't be read: {error}") from error
        if keep:
            self._tables[name] = table
        return table

    def best(self) -> Choice | None:
        """The run's best model; see ``speechnet.evaluation.selection``.

        Raises:
            DataError: its tables are missing or damaged.
        """
        models = self.info["models"]
        if len(models) == 1:
            return Choice(models[0], "only")
        has_search = (self.path / "search.csv").exists()
        searched = self.read_table("search.csv") if has_search else None
        return choose_model(self.read_table("scores.csv"), models, searched)

    def finish(self) -> None:
        """Write ``run.json`` and the checksums of all files, and mark the run complete."""
        self.info["finished"] = _now()
        text = json.dumps(_finite(self.info), indent=1, ensure_ascii=False, allow_nan=False)
        self.write("run.json", f"{text}\n".encode())
        with storage_errors(self.path):
            self.sums = write_sums(self.path)
        (self.path / INCOMPLETE).unlink(missing_ok=True)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _git_revision() -> str | None:
    """The revision of this program's own checkout; None if it is installed from a package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # another project's repository may contain it
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(  # noqa: S603 - a constant command
            command, cwd=root, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
