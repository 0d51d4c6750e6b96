"""``export``: write a run's network as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from speechnet.config.arguments import options_parser, read_options
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError
from speechnet.experiment.run_location import read_info


@dataclass
class Options:
    """The options of ``export``.

    Attributes:
        run: the run folder.
        model: the network; by default the first that can be exported.
        out: a folder; by default export/ in the run folder.
        fold: the networks of one fold, or all averaged.
    """

    run: str
    model: str | None = None
    out: str | None = None
    fold: int | Literal["all"] = "all"


parser = partial(
    options_parser, "export", "Write a run's network, with its scaler, as ONNX.", Options
)


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    options = read_options(parser(), arguments, Options)
    if options.out is not None and options.out.lower().endswith(".onnx"):
        raise ConfigError(
            f"--out {options.out}: expected a folder, in which the file is called model.onnx or "
            "model_fold_N.onnx"
        )
    read_info(Path(options.run))
    with working("starting"):
        from speechnet.experiment.export import export

    out = None if options.out is None else Path(options.out)
    export(Path(options.run), model=options.model, out=out, fold=options.fold)
