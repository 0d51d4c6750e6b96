"""What goes into ``report.html``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from speechnet.core.bounds import Number


@dataclass
class ReportConfig:
    """The report of a run.

    Attributes:
        html: whether ``report.html`` is written.
        audio: whether the recordings of the mistakes shown can be heard. Set it to false where the
            data must not leave: the run folder and the report then hold no sound, and no picture
            of one.
        mistakes: how many of the most confident mistakes are shown for each target.
    """

    html: bool = True
    audio: bool = True
    mistakes: Annotated[int, Number(ge=0, le=50)] = 6
