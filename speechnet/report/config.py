"""What goes into ``report.html``."""

from __future__ import annotations

from dataclasses import dataclass

from speechnet.core.errors import ConfigError


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
    mistakes: int = 6

    def __post_init__(self) -> None:
        if not 0 <= self.mistakes <= 50:
            raise ConfigError(f"report.mistakes is {self.mistakes}, expected 0 to 50")
