"""TensorBoard: the curves and settings of a run's networks, and its figures.

Each network's events are in its fold's folder, those of the figures beside the folds, so that
``tensorboard --logdir`` finds all of them in the run folder.
"""

from __future__ import annotations

import re
import struct
import time
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped] # it has none
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped] # it has none
from tensorboard.summary.writer.event_file_writer import (  # type: ignore[import-untyped] # as above
    EventFileWriter,
)
from torch.utils.tensorboard.summary import hparams

from speechnet.core.files import storage_errors
from speechnet.core.reading import read_regular

FIGURES: Final = "tensorboard"
"""The folder of the figures' events."""


class EpochCurves(TensorBoardLogger):
    """Curves of a fold's network over epochs; Lightning counts batches, which vary in steps."""

    def __init__(self, folder: Path, network: str) -> None:
        super().__init__(folder, name="logs", version=network, default_hp_metric=False)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log each value at its epoch, as in ``history.csv``, in groups of losses and recalls."""
        values = {_tag(name): value for name, value in metrics.items()}
        epoch = values.pop("epoch", None)
        super().log_metrics(values, step if epoch is None else int(epoch))

    def log_hyperparams(
        self,
        params: dict[str, Any] | Namespace,
        metrics: dict[str, Any] | None = None,
        step: int | None = None,
    ) -> None:
        """Log the network's settings beside the dev UAR."""
        super().log_hyperparams(params, metrics, step)
        settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in dict(params)["config"].items()
        }
        # Only the metric's name is used.
        for summary in hparams(settings, {_tag("dev_uar"): 0}):  # type: ignore[no-untyped-call] # torch's own
            self.experiment.file_writer.add_summary(summary)


def _tag(name: str) -> str:
    """TensorBoard groups tags by the text before the slash."""
    return re.sub(r"^(train|dev)_(loss|uar)", r"\2/\g<0>", name)


def log_figures(run: Path, names: Iterable[str]) -> None:
    """Log some PNGs of a run's ``figures/``, by their stems.

    Raises:
        StorageError: no space or no permission.
    """
    with storage_errors(run):
        writer = EventFileWriter(str(run / FIGURES))
        for name in sorted(names):
            png = read_regular(run / "figures" / f"{name}.png")
            value = Summary.Value(tag=f"figures/{name}", image=_image(png))
            writer.add_event(Event(wall_time=time.time(), summary=Summary(value=[value])))
        writer.close()


def _image(png: bytes) -> Summary.Image:
    """A PNG as it is: decoding and encoding it again takes as long as drawing it."""
    width, height = struct.unpack(">II", png[16:24])  # of the IHDR chunk
    return Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
