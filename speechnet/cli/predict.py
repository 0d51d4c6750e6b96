"""``predict``: recognise recordings with a saved run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jsonargparse import ArgumentParser

from speechnet.config.arguments import options_parser, read_options
from speechnet.console.progress import working
from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.safe_text import printable
from speechnet.core.wording import listing, plural
from speechnet.experiment.run_location import read_info

_Seconds = Annotated[float, Number(gt=0)]


@dataclass
class Options:
    """The options of ``predict``.

    Attributes:
        run: the run folder.
        paths: files, folders, quoted patterns such as 'rec/**/*.wav'; - is a list.
        out: a CSV, which a stopped command continues; by default stdout.
        manifest: a list of recordings: a .csv with a column file, and start and end in seconds for
            parts; or any other file with a path on each line; relative to its folder.
        model: a model's name, best (on the dev part), or all.
        abstain: no label if the likeliest class is less probable.
        unlike: recordings that are unlike the training data: keep their labels, or abstain.
        speakers: for a run with features standardised by speaker: one speaker, or one per folder.
        channels: mix several channels as the run does, or answer for each, as in a phone call.
        long: recordings longer than so many seconds are split into windows; null for none.
        window: seconds of a window; by default 3, or the nearest length that the run accepts.
        hop: seconds from window to window; by default half a window.
        timeline: a folder for a table and a figure of each recording's windows.
    """

    run: str
    paths: list[str]
    out: str | None = None
    manifest: str | None = None
    model: str = "best"
    abstain: Annotated[float, Number(ge=0, le=1)] = 0.0
    unlike: Literal["keep", "abstain"] = "keep"
    speakers: Literal["one", "folder"] | None = None
    channels: Literal["mix", "each"] = "mix"
    long: _Seconds | None = 20.0
    window: _Seconds | None = None
    hop: _Seconds | None = None
    timeline: str | None = None


def parser() -> ArgumentParser:
    """The parser of ``Options``."""
    what = "Recognise recordings with a saved run, as CSV."
    made = options_parser("predict", what, Options, without="paths")
    made.add_argument(
        "paths",
        nargs="*",
        default=[],
        help="files, folders, quoted patterns such as 'rec/**/*.wav'; - is a list",
    )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    if not options.paths and options.manifest is None:
        raise ConfigError(
            "name what is to be recognised: files, folders, patterns in quotes, - for a list on "
            "the standard input, or --manifest"
        )
    _check_there(options.paths, options.manifest)
    read_info(Path(options.run))
    with working("starting"):
        from speechnet.inference.predict import recognise

    recognise(
        Path(options.run),
        options.paths,
        model=options.model,
        out=_path(options.out),
        speakers=options.speakers,
        manifest=_path(options.manifest),
        abstain=options.abstain,
        unlike=options.unlike,
        long=options.long,
        window=options.window,
        hop=options.hop,
        timeline=_path(options.timeline),
        each_channel=options.channels == "each",
    )


def _check_there(paths: Sequence[str], manifest: str | None) -> None:
    """Refuse paths of which none exists; if some do, the table names the others."""
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
