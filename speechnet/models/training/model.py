"""The contract of a model that is a network: what all networks share is trained and saved here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speechnet.models.model import Context, Fitted, Rows
from speechnet.models.training.settings import NetworkSettings

if TYPE_CHECKING:
    from speechnet.core.types import Targets


@dataclass
class NetworkModel(NetworkSettings):
    """A network: a trunk that all targets share, and a head for each of them.

    Subclasses say what the trunk is. Scaling, heads, losses, training by Lightning, early stopping,
    checkpoints and the search are here.
    """

    def fit(self, train: Rows, dev: Rows, context: Context) -> Fitted:
        """See ``Model``."""
        from speechnet.models.training.fitting import fit_network

        return fit_network(self, train, dev, context)

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> Fitted:
        """See ``Model``."""
        from speechnet.models.training.fitted import FittedNetworks

        return FittedNetworks.load(folder, name, targets)
