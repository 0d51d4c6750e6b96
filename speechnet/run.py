"""The run folder: what is written where, whole or not at all, and reading it back."""

from __future__ import annotations

import io
import json
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd

from speechnet import __version__
from speechnet.errors import DataError
from speechnet.files import storage_errors, write_whole

_INCOMPLETE: Final = "INCOMPLETE"
_PACKAGES: Final = (
    "torch",
    "lightning",
    "torchmetrics",
    "scikit-learn",
    "librosa",
    "noisereduce",
    "numpy",
    "scipy",
    "pandas",
)


class RunFolder:
    """One run's folder, ``<out>/<experiment>/version_<N>``.

    It holds a file ``INCOMPLETE`` until ``finish``; a run that was killed keeps it.

    Attributes:
        path: the folder.
        info: what ``run.json`` will say.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path = path
        self.info = info

    @classmethod
    def create(cls, out: Path, experiment: str, *, seed: int) -> RunFolder:
        """Make the next free version.

        Raises:
            StorageError: no space or no permission.
        """
        base = out / experiment
        with storage_errors(base):
            base.mkdir(parents=True, exist_ok=True)
            number = 0
            while True:
                path = base / f"version_{number}"
                try:
                    path.mkdir()
                    break
                except FileExistsError:  # an earlier run's, or one that began this moment
                    number += 1
            text = "This run has not finished: it goes on, was killed, or failed.\n"
            (path / _INCOMPLETE).write_text(text, encoding="utf-8")
        info = {
            "speechnet": __version__,
            "experiment": experiment,
            "seed": seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "git": _git_revision(),
            "python": platform.python_version(),
            "machine": {"system": platform.platform(), "processor": platform.machine()},
            "versions": {name: version(name) for name in _PACKAGES},
            "seconds": {},
        }
        return cls(path, info)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a finished run.

        Raises:
            DataError: there is none, or it is incomplete.
        """
        if not path.is_dir():
            raise DataError(f"there is no run folder {path}")
        if (path / _INCOMPLETE).exists():
            raise DataError(f"{path} is incomplete: its run was killed or still goes on")
        try:
            info = json.loads((path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is no run folder: run.json can't be read ({error})") from error
        return cls(path, info)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the seconds that the block takes to ``info["seconds"]``."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = self.info["seconds"].get(name, 0.0) + time.perf_counter() - begun
            self.info["seconds"][name] = round(spent, 3)

    def fold(self, number: int) -> Path:
        """The folder of one fold's models; made if need be."""
        path = self.path / f"fold_{number}"
        with storage_errors(path):
            path.mkdir(exist_ok=True)
        return path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        self._write(name, text.encode())

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as CSV or Parquet, by the ending of ``name``, whole or not at all."""
        self._write(name, table_bytes(table, parquet=name.endswith(".parquet")))

    def finish(self) -> None:
        """Write ``run.json``, and mark the run complete."""
        self.info["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.write_text("run.json", json.dumps(self.info, indent=1, ensure_ascii=False) + "\n")
        (self.path / _INCOMPLETE).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        with storage_errors(self.path):
            write_whole(self.path / name, content)


def table_bytes(table: pd.DataFrame, *, parquet: bool = False) -> bytes:
    """A table as the bytes of a CSV or Parquet file."""
    if parquet:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    return table.to_csv(index=False, lineterminator="\n").encode()


def _git_revision() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 - a constant command
            command, cwd=here, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
