"""``export``: write a run's network as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from speechnet.config.arguments import parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError
from speechnet.experiment.run_location import read_info

_Fold = int | Literal["all"]


def parser() -> ArgumentParser:
    """The run, which of its networks, and where the file goes."""
    made = verb_parser("export", "Write a run's network, with its scaler, as ONNX.")
    made.add_argument("--run", type=str, required=True, help="the run folder")
    made.add_argument(
        "--out", type=str | None, default=None, help="a folder; else export/ in the run folder"
    )
    made.add_argument(
        "--fold", type=_Fold, default="all", help="the networks of one fold, or all averaged"
    )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the verb."""
    parsed = parse(parser(), arguments, Schema({"run": str, "out": str | None, "fold": _Fold}))
    if parsed.out is not None and parsed.out.lower().endswith(".onnx"):
        raise ConfigError(
            f"--out {parsed.out}: expected a folder, in which the file is called model.onnx or "
            "model_fold_N.onnx"
        )
    read_info(Path(parsed.run))
    with working("starting"):
        from speechnet.experiment.export import export

    export(
        Path(parsed.run),
        out=None if parsed.out is None else Path(parsed.out),
        fold=parsed.fold,
    )
