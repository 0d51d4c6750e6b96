"""Work that outlives its processes: real processes, really killed."""

import os
import signal
from functools import partial
from pathlib import Path

import joblib
import pytest

from speechnet.core.errors import ConfigError, Excluded, SpeechnetError
from speechnet.features.extraction.workers import run_in_workers

# Killing a worker makes loky warn that it has lost one.
pytestmark = pytest.mark.filterwarnings("ignore:A worker stopped while some jobs:UserWarning")

PIECES = {f"piece {i}": i for i in range(30)}


def square(i: int) -> int:
    return i * i


def fatal(i: int, *, poison: tuple[int, ...], folder: Path, deaths: int) -> int:
    """Kills its process for the pieces in ``poison``, so many times each."""
    if i in poison:
        with (folder / str(i)).open("a") as log:
            log.write("x")
        if len((folder / str(i)).read_text()) <= deaths:
            os.kill(os.getpid(), signal.SIGKILL)
    return i * i


def refuse(i: int) -> int:
    raise ConfigError(f"piece {i} shows that the settings are wrong")


def gather(function: object, pieces: dict[str, int] = PIECES) -> dict[str, object]:
    results: dict[str, object] = {}
    for batch in run_in_workers(pieces, function):  # type: ignore[arg-type]
        assert not results.keys() & batch.keys()
        results |= batch
    return results


@pytest.mark.parametrize(
    ("backend", "n_jobs", "noted"),
    [("loky", 2, True), ("threading", 2, True), ("loky", 1, True), ("loky", 1, False)],
)
def test_every_piece_is_done_once(
    backend: str, n_jobs: int, noted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes, in threads, in this process, and where the notes' folder doesn't exist.

    As on another machine of a cluster.
    """
    if not noted:
        monkeypatch.setattr(Path, "write_text", lambda *_, **__: Path("/gone/note").stat())
    with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
        assert gather(square) == {name: i * i for name, i in PIECES.items()}
        assert gather(square, {}) == {}


def test_a_piece_that_kills_its_process_is_excluded(tmp_path: Path) -> None:
    """Two of thirty kill whoever touches them; each is tried twice, the others are all done."""
    function = partial(fatal, poison=(5, 20), folder=tmp_path, deaths=9)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        results = gather(function)
    died = {name: why for name, why in results.items() if isinstance(why, Excluded)}
    assert {name: why.reason for name, why in died.items()} == {
        "piece 5": "worker_died",
        "piece 20": "worker_died",
    }
    assert {name: i for name, i in results.items() if name not in died} == {
        name: i * i for name, i in PIECES.items() if name not in died
    }
    assert 2 <= len((tmp_path / "5").read_text()) <= 3  # or caught with the other one's death


def test_a_piece_whose_process_died_once_is_done(tmp_path: Path) -> None:
    """Tried again alone it succeeds: nobody is excluded for someone else's death."""
    function = partial(fatal, poison=(11,), folder=tmp_path, deaths=1)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert gather(function) == {name: i * i for name, i in PIECES.items()}
    assert (tmp_path / "11").read_text() == "xx"


def test_processes_that_never_begin_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an endless loop: after three times it says so."""

    def die(*_: object) -> object:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        raise TerminatedWorkerError("died at birth")

    monkeypatch.setattr("speechnet.features.extraction.workers._run", die)
    with pytest.raises(SpeechnetError, match="3 times a process died before it began"):
        gather(square)


def test_an_error_of_the_settings_ends_the_run() -> None:
    """What the function raises is raised here, whole."""
    with (
        joblib.parallel_config(backend="loky", n_jobs=2),
        pytest.raises(ConfigError, match="shows that the settings are wrong"),
    ):
        gather(refuse)
