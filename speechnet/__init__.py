"""Recognise the gender and emotion of a speaker from speech, and learn which way works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechnet.inference.predictor import Predictor

__version__ = "0.1.0"

# torchmetrics imports onnxruntime where that is installed, which then reports its use to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(run: str | Path, *, model: str = "best") -> Predictor:
    """Read a finished run, to recognise recordings with it.

    Args:
        run: the run folder.
        model: a model's name; ``best`` for the one of the highest dev UAR, a mean over folds and
            targets; ``all``. The result's ``run.best()`` says which and why.

    Raises:
        ConfigError: the run has no such model.
        DataError: the run is incomplete or damaged.
    """
    # Imported here: whoever asks for the version need not wait for torch.
    from speechnet.experiment.saved_run import SavedRun
    from speechnet.inference.predictor import Predictor

    return Predictor(SavedRun(Path(run)), model=model)
