"""Recognise gender and emotion from speech, and find out which models do it well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from speechnet.core.version import __version__

if TYPE_CHECKING:
    from speechnet.inference.predictor import Predictor

__all__ = ["__version__", "load"]

# torchmetrics imports onnxruntime if it is installed, which would send telemetry.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(run: str | Path, *, model: str = "best") -> Predictor:
    """Load a finished run, to recognise recordings with it.

    Args:
        run: the run folder.
        model: a model's name, ``all``, or ``best`` for the one with the highest dev UAR (the mean
            over folds and targets). The result's ``run.best()`` says which it is and why.

    Raises:
        ConfigError: the run has no such model.
        DataError: the run is incomplete or damaged, or a package that it needs is missing.
    """
    # Imported here: reading the version takes no torch.
    from speechnet.experiment.saved_run import SavedRun
    from speechnet.inference.predictor import Predictor

    return Predictor(SavedRun(Path(run)), model=model)
