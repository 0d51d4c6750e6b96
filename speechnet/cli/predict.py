"""``predict``: recognise recordings with a saved run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.wording import listing, plural
from speechnet.corpus.discovery import printable
from speechnet.experiment.run_location import read_info


class _Flag(NamedTuple):
    kind: Any
    default: object
    help: str


_FLAGS: Final = {
    "out": _Flag(str | None, None, "a CSV, which a stopped command goes on with; else stdout"),
    "manifest": _Flag(
        str | None,
        None,
        "a list of recordings: a .csv with a column file, and start and end in seconds for parts; "
        "or any other file with a path on each line; relative to its folder",
    ),
    "model": _Flag(str, "best", "a model's name, best (on the dev part), or all"),
    "abstain": _Flag(float, 0.0, "no label where the likeliest class is less probable, 0 to 1"),
    "unlike": _Flag(
        Literal["keep", "abstain"],
        "keep",
        "recordings that are unlike the training data: keep their labels, or abstain",
    ),
    "speakers": _Flag(
        Literal["one", "folder"] | None,
        None,
        "who speaks, for a run with features by speaker: one person, or one in each folder",
    ),
    "channels": _Flag(
        Literal["mix", "each"],
        "mix",
        "several channels mixed as the run does, or an answer for each, as of the ends of a call",
    ),
    "long": _Flag(
        float | None, 20.0, "longer recordings, in seconds, are taken window by window; null: none"
    ),
    "window": _Flag(
        float | None, None, "seconds of a window; else 3, or the nearest the run takes"
    ),
    "hop": _Flag(float | None, None, "seconds from window to window; else half a window"),
    "timeline": _Flag(
        str | None, None, "a folder for each recording's windows: a table and a figure"
    ),
}


def parser() -> ArgumentParser:
    """The run, the recordings, how they are taken, and where the result goes."""
    made = verb_parser("predict", "Recognise recordings with a saved run, as CSV.")
    made.add_argument("--run", type=str, required=True, help="the run folder")
    for name, flag in _FLAGS.items():
        made.add_argument(f"--{name}", type=flag.kind, default=flag.default, help=flag.help)
    made.add_argument(
        "paths",
        nargs="*",
        default=[],
        help="files, folders, quoted patterns such as 'rec/**/*.wav'; - is a list",
    )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    flags = {name: flag.kind for name, flag in _FLAGS.items()}
    parsed = parse(parser(), arguments, Schema({"run": str, **flags, "paths": list[str]}))
    if not parsed.paths and parsed.manifest is None:
        raise ConfigError(
            "name what is to be recognised: files, folders, patterns in quotes, - for a list on "
            "the standard input, or --manifest"
        )
    _check_there(parsed.paths, parsed.manifest)
    read_info(Path(parsed.run))
    with working("starting"):
        from speechnet.inference.predict import recognise
        from speechnet.inference.timelines import Windowing

    windowing = Windowing(
        longer_than=parsed.long,
        window=parsed.window,
        hop=parsed.hop,
        timelines=_path(parsed.timeline),
    )
    recognise(
        Path(parsed.run),
        parsed.paths,
        model=parsed.model,
        out=_path(parsed.out),
        speakers=parsed.speakers,
        manifest=_path(parsed.manifest),
        abstain=parsed.abstain,
        unlike=parsed.unlike,
        windowing=windowing,
        each_channel=parsed.channels == "each",
    )


def _check_there(paths: Sequence[str], manifest: str | None) -> None:
    """Say at once that nothing is there; of several recordings the table says which aren't."""
    if manifest is not None or not paths or any(path == "-" or _may_be(path) for path in paths):
        return
    raise DataError(
        f"{plural(len(paths), 'there is no recording', 'none of the recordings is there:')} "
        f"{listing((printable(path) for path in paths), 3)} (looked for from "
        f"{printable(str(Path.cwd()))!r})"
    )


def _may_be(path: str) -> bool:
    return any(mark in path for mark in "*?[") or os.path.exists(path)  # noqa: PTH110


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
