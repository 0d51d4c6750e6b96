"""Trained networks, read from checkpoints without Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from speechnet.core.errors import DataError
from speechnet.core.reading import open_regular
from speechnet.core.types import Float32, Float64, Sequences, Targets, tallest
from speechnet.models.model import Fitted, LayerWeights
from speechnet.models.training.network import Network
from speechnet.models.training.sequences import PADDED, by_length, pad

_ROWS: Final = 65_536
"""Rows that a network is applied to at once, of one layer."""

_SEQUENCES: Final = 64
"""The same of sequences, which are padded to the longest; fewer where they are long."""


class FittedNetworks(Fitted):
    """One network, or several whose probabilities are averaged."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = [network.eval() for network in networks]
        self.targets: Targets = networks[0].targets

    @classmethod
    def from_checkpoints(cls, paths: Sequence[Path]) -> FittedNetworks:
        """Read checkpoints, weights only; nothing in them is executed.

        Raises:
            DataError: a checkpoint is missing or damaged.
        """
        return cls([_read(path) for path in paths])

    @torch.inference_mode()
    def predict_proba(self, features: Float32 | Sequences) -> dict[str, Float64]:
        """See ``Fitted``."""
        layers = tallest(self.networks[0].mix.stacks)
        if isinstance(features, Sequences):
            batches = by_length(
                np.diff(features.starts), rows=-(-_SEQUENCES // layers), frames=PADDED // layers
            )
            inputs = [[features.of(row) for row in batch] for batch in batches]
            means = [self._mean(*pad(recordings)) for recordings in inputs]
            order = np.argsort(np.concatenate([np.empty(0, dtype=np.int64), *batches]))
        else:
            x = torch.from_numpy(np.array(features, dtype=np.float32))
            means = [self._mean(rows) for rows in torch.split(x, -(-_ROWS // layers))]
            order = np.arange(len(x))
        none = {t: torch.empty(0, len(k), dtype=torch.float64) for t, k in self.targets.items()}
        return {t: torch.cat([none[t], *(each[t] for each in means)]).numpy()[order] for t in none}

    def _mean(self, *inputs: Tensor) -> dict[str, Tensor]:
        """What ``Network`` takes -> by target float64 ``[n, k]``."""
        outputs = [network(*inputs) for network in self.networks]
        found = {}
        for target in self.targets:
            members = [out[target].double().softmax(dim=1) for out in outputs]
            found[target] = torch.stack(members).mean(dim=0)
        return found

    def layer_weights(self) -> list[LayerWeights]:
        """See ``Fitted``: what each network has learnt, for all targets."""
        return [
            LayerWeights("", member, weights.tolist())
            for member, network in enumerate(self.networks)
            for weights in network.mix.weights()
        ]

    def save(self, folder: Path, name: str) -> None:
        """Nothing is left to do: training has written ``<name>_<member>.ckpt``."""

    @classmethod
    def load(cls, folder: Path, name: str, targets: Targets) -> FittedNetworks:
        """Read what training wrote, and compare its classes with those expected.

        Raises:
            DataError: no checkpoint, or one made for other classes.
        """
        paths = sorted(folder.glob(f"{name}_[0-9]*.ckpt"))
        if not paths:
            raise DataError(f"{folder} holds no {name}_<member>.ckpt")
        classifier = cls.from_checkpoints(paths)
        for network, path in zip(classifier.networks, paths, strict=True):
            if network.targets != targets:
                raise DataError(f"{path} was made for {network.targets}, the run says {targets}")
        return classifier


def _read(path: Path) -> Network:
    """The network of a Lightning checkpoint: its arguments, and its weights."""
    try:
        with open_regular(path) as file:
            saved = torch.load(file, map_location="cpu", weights_only=True)
        network = Network(**saved["hyper_parameters"])
        network.load_state_dict(saved["state_dict"])
    except Exception as error:
        raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
    for name, values in network.state_dict().items():
        if not torch.isfinite(values).all():
            raise DataError(
                f"{path} is damaged: {name} holds NaN or infinite numbers; copy the run again from "
                "where it was made"
            )
    return network
