"""Parallel work that survives its processes: a piece that kills one is identified and excluded."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from threadpoolctl import threadpool_limits

from speechnet.core.errors import Excluded, SpeechnetError
from speechnet.core.processes import processes
from speechnet.core.scratch import temporary_folder

# Most pieces in a task. A killed run loses this many for each process: those in flight.
_BATCH: Final = 8
_TASKS: Final = 4  # for each process at least, so that none waits long for the last one
_START_LIMIT: Final = 3  # how often processes may die before any of them has begun a piece

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def run_in_workers(
    pieces: Mapping[str, Piece], function: Callable[[Piece], Result]
) -> Iterator[dict[str, Result | Excluded]]:
    """Call a function on each piece of work, parallel as ``joblib.parallel_config`` says.

    Within a piece, linear algebra runs on one thread: more threads round otherwise, and results
    would depend on how many pieces run at once.

    A single piece is worked on in this very process. When one of several processes dies, each piece
    that was being worked on is tried once more, alone; if that process dies too, the piece is
    excluded as ``worker_died``, and the others go on.

    Args:
        pieces: by a printable name.
        function: takes a piece; with processes it must be picklable.

    Yields:
        Results by name as they come, a batch at a time; every piece in exactly one batch.

    Raises:
        SpeechnetError: processes keep dying before they begin.
        Exception: whatever ``function`` raises.
    """
    if len(pieces) == 1:  # an own process would take a hundred times as long as most pieces
        yield {name: _alone(piece, function) for name, piece in pieces.items()}
        return
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = dict(pieces)
    deaths = 0
    with temporary_folder() as folder, threadpool_limits(limits=1):
        notes = Path(folder)
        while left:
            try:
                for results in _run(left, function, notes):
                    for name in results:
                        del left[name]
                    yield {**results}
            except TerminatedWorkerError as error:
                # Which of the pieces is to blame shows when each runs alone.
                noted = []
                for note in list(notes.iterdir()):
                    noted.append(note.read_text(encoding="utf-8"))
                    note.unlink()
                suspects = {name: left.pop(name) for name in noted if name in left}
                deaths += not suspects
                if deaths == _START_LIMIT:
                    raise SpeechnetError(
                        f"{deaths} times a process died before it began a file; "
                        "with parallel.n_jobs = 1 the reason shows"
                    ) from error
                yield {name: _retry(piece, function) for name, piece in suspects.items()}


def _run(
    pieces: Mapping[str, Piece], function: Callable[[Piece], Result], notes: Path
) -> Iterator[dict[str, Result]]:
    import joblib

    items = list(pieces.items())
    size = min(_BATCH, math.ceil(len(items) / (_TASKS * joblib.effective_n_jobs())))
    batches = [dict(items[i : i + size]) for i in range(0, len(items), size)]
    results: Iterator[dict[str, Result]] = joblib.Parallel(return_as="generator_unordered")(
        joblib.delayed(_work)(batch, function, notes) for batch in batches
    )
    return results


def _retry(piece: Piece, function: Callable[[Piece], Result]) -> Result | Excluded:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Two processes for one piece: with one, joblib would work in this very process.
    try:
        with processes("loky", 2):
            result: Result = joblib.Parallel()([joblib.delayed(_alone)(piece, function)])[0]
    except TerminatedWorkerError:
        return Excluded("worker_died", "the process working on it died, twice")
    return result


def _work(
    pieces: Mapping[str, Piece], function: Callable[[Piece], Result], notes: Path
) -> dict[str, Result]:
    """Runs in a worker process; its note says which piece it is busy with."""
    note = notes / uuid4().hex

    def put(name: str) -> None:
        # A worker on another machine does not see this folder; there the scheduler tries again.
        with contextlib.suppress(OSError):
            note.write_text(name, encoding="utf-8")

    results: dict[str, Result] = {}
    with threadpool_limits(limits=1):
        for name, piece in pieces.items():
            put(name)
            results[name] = function(piece)
    put("")
    return results


def _alone(piece: Piece, function: Callable[[Piece], Result]) -> Result:
    with threadpool_limits(limits=1):
        return function(piece)
