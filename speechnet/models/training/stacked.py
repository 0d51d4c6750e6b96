"""Networks of one shape as one model: every tensor of theirs, stacked, with an axis of members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from speechnet.core.types import Float64, Int64
from speechnet.models.training.layers import BatchNorm, Dropout, dropped_below, random_bits
from speechnet.models.training.lightning_module import LightningNetwork

_SETTINGS = ("dropout", "noise", "label_smoothing", "weight_decay")

_BETA2 = 0.999
_EPS = 1e-8
"""Of Adam and AdamW, as torch has them."""

_TINY = 1e-24
"""A step of this size changes no weight, and one can divide by it."""


@dataclass(frozen=True)
class Batch:
    """A batch of each of ``m`` members, shorter ones filled up.

    Attributes:
        X: raw features, float32 ``[m, b, d]``.
        labels: int64 ``[m, b, targets]``, -1 where there is no label and where a row fills up.
        share: 1 / n for each of a member's n rows, 0 where a row fills up; float32 ``[m, b, 1]``.
        rows: n, float32 ``[m, 1, 1]``; 0 where a member has had all its rows.
    """

    X: Tensor
    labels: Tensor
    share: Tensor
    rows: Tensor


@dataclass(frozen=True)
class Rates:
    """What the optimizer needs to know of a step, float32 ``[m, 1]`` each.

    Attributes:
        lr: learning rate; 0 where a member takes no step.
        momentum: of ``sgd``, the first beta of ``adam`` and ``adamw``.
        active: 1 where a member takes the step, else 0.
        correction: of the first moment's bias, ``1 - beta1^t``.
        root_correction: of the second's, ``sqrt(1 - beta2^t)``; Kingma and Ba (2015).
    """

    lr: Tensor
    momentum: Tensor
    active: Tensor
    correction: Tensor
    root_correction: Tensor

    @classmethod
    def each(
        cls,
        lr: Float64,
        momentum: Float64,
        *,
        active: NDArray[np.bool_],
        taken: Int64,
        device: torch.device,
    ) -> list[Self]:
        """The rates of several steps.

        Args:
            lr: float64 ``[steps, m]``.
            momentum: float64 ``[steps, m]``.
            active: bool ``[steps, m]``.
            taken: steps that each member has taken before, int64 ``[m]``.
            device: where they go, all at once.
        """
        number = taken + np.cumsum(active, axis=0).clip(min=1)
        # In float64: what is left of 1 - 0.999 in float32 has four digits.
        both = 1 - momentum**number, np.sqrt(1 - _BETA2**number)
        table = np.stack([lr * active, momentum, active, *both], axis=1)
        sent = torch.tensor(table, dtype=torch.float32, device=device)[..., None]
        return [cls(*one) for one in sent]


class Stack:
    """``m`` networks that differ in their weights, scalings, class weights and some settings.

    What they share: the layers, the optimizer, the batch size, the weights of the heads' losses,
    and whether there is noise or dropout at all. As all draw the same noise and the same bits for
    the dropout, each is what it would be if it were trained alone from the same seed.

    Args:
        networks: of which copies are trained.
        device: where.

    Attributes:
        members: all that belongs to a member, by name, ``[m, ...]`` each: ``parameters``, their
            two ``moments``, the networks' buffers and the settings.
    """

    def __init__(self, networks: Sequence[LightningNetwork], device: torch.device) -> None:
        self.like = networks[0]
        config = self.like.config
        self._optimizer = config.optimizer
        self._batch_size = config.batch_size
        self._shapes = {
            name: one.shape for name, one in self.like.named_parameters() if one.requires_grad
        }
        flat = [parameters_to_vector(_learnt(one)).detach() for one in networks]
        self.members = {"parameters": torch.stack(flat).to(device)}
        self.members["moment_1"] = torch.zeros_like(self.members["parameters"])
        if self._optimizer != "sgd":
            self.members["moment_2"] = torch.zeros_like(self.members["parameters"])
        for name, _ in self.like.named_buffers():
            both = torch.stack([one.get_buffer(name) for one in networks])
            self.members[name] = both.unsqueeze(1).to(device)
        for name in _SETTINGS:
            values = [getattr(one.config, name) for one in networks]
            self.members[name] = torch.tensor(values, device=device)[:, None, None]
        below = [dropped_below(one.config.dropout) for one in networks]
        self.members["dropped_below"] = torch.tensor(below, dtype=torch.int16, device=device)[
            :, None, None
        ]

    def keep(self, members: Tensor) -> None:
        """Leave out all but these members, int64 positions."""
        self.members = {name: one[members] for name, one in self.members.items()}

    def weights(self) -> dict[str, Tensor]:
        """What training changes, and prediction needs, by the name in ``members``."""
        names = ["parameters", *(name for name in self.members if "running" in name)]
        return {name: self.members[name] for name in names}

    def write(self, network: LightningNetwork, weights: dict[str, Tensor], member: int) -> None:
        """Put a member's weights into a network of its own."""
        vector_to_parameters(weights["parameters"][member].cpu(), _learnt(network))
        for name, one in weights.items():
            if name != "parameters":
                network.get_buffer(name).copy_(one[member, 0])

    def step(self, batch: Batch, rates: Rates) -> Tensor:
        """One step of every member's optimizer.

        Returns:
            The losses before it, float32 ``[m]``.
        """
        parameters = self.members["parameters"].requires_grad_()
        losses = self._losses(self._logits(batch.X, batch), batch.labels)
        (gradient,) = torch.autograd.grad(losses.sum(), parameters)
        self.members["parameters"] = parameters.detach()
        self._update(gradient, rates)
        return losses.detach()

    @torch.no_grad()
    def predict(self, X: Tensor) -> list[Tensor]:
        """The class that each member takes each row for: ``[n, d]`` -> int64 ``[m, n]`` by target.

        As many rows at once as in training, so that no more memory is needed.
        """
        pieces = [
            [logits.argmax(dim=2) for logits in self._logits(rows.expand(self.size, -1, -1))]
            for rows in torch.split(X, max(self._batch_size, 256))
        ]
        return [torch.cat(one, dim=1) for one in zip(*pieces, strict=True)]

    @property
    def classes(self) -> list[int]:
        """How many classes each target has."""
        return [len(classes) for classes in self.like.targets.values()]

    @property
    def size(self) -> int:
        """How many members there are."""
        return len(self.members["parameters"])

    def _logits(self, x: Tensor, batch: Batch | None = None) -> list[Tensor]:
        """``[m, n, d] -> [m, n, k]`` by target; in training where there is a batch."""
        sizes = [shape.numel() for shape in self._shapes.values()]
        # One split, so that the gradient is put together once.
        parts = torch.split(self.members["parameters"], sizes, dim=1)
        shaped = zip(self._shapes.items(), parts, strict=True)
        of = {name: part.view(-1, *shape) for (name, shape), part in shaped}
        x = (x - self.members["centre"]) / self.members["scale"]
        if batch is not None and self.like.config.noise > 0:
            drawn = torch.randn(self._batch_size, x.shape[2], device=x.device)
            x = x + self.members["noise"] * drawn[: x.shape[1]]
        for number, layer in enumerate(self.like.trunk):
            name = f"trunk.{number}"
            match layer:
                case nn.Linear():
                    x = _linear(x, of, name)
                case BatchNorm():
                    x = self._normalise(x, name, layer, batch)
                    x = torch.addcmul(of[f"{name}.bias"][:, None], x, of[f"{name}.weight"][:, None])
                case nn.LayerNorm():
                    x = nn.functional.layer_norm(x, x.shape[2:], eps=layer.eps)
                    x = torch.addcmul(of[f"{name}.bias"][:, None], x, of[f"{name}.weight"][:, None])
                case Dropout():
                    x = x if batch is None or not layer.p else self._drop(x)
                case _:
                    x = layer(x)
        return [_linear(x, of, f"heads.{column}") for column in range(len(self.like.heads))]

    def _normalise(self, x: Tensor, name: str, layer: BatchNorm, batch: Batch | None) -> Tensor:
        """As ``BatchNorm`` does, by the rows that don't fill up."""
        mean, var = (self.members[f"{name}.running_{one}"] for one in ("mean", "var"))
        if batch is None:
            return (x - mean) * (var + layer.eps).rsqrt()
        seen = batch.rows > 1
        own_mean = torch.bmm(batch.share.transpose(1, 2), x)
        centred = x - torch.where(seen, own_mean, mean)
        own_var = torch.bmm(batch.share.transpose(1, 2), centred.square())
        with torch.no_grad():
            weight = (layer.momentum or 0.0) * seen
            unbiased = own_var * (batch.rows / (batch.rows - 1).clamp_min(1))
            self.members[f"{name}.running_mean"] = torch.lerp(mean, own_mean, weight)
            self.members[f"{name}.running_var"] = torch.lerp(var, unbiased, weight)
        return centred * (torch.where(seen, own_var, var) + layer.eps).rsqrt()

    def _drop(self, x: Tensor) -> Tensor:
        """As ``Dropout`` does, with the same bits for all members and each one's own share."""
        bits = random_bits(self._batch_size, x.shape[2], x.device)[: x.shape[1]]
        share = self.members["dropout"]
        return x * ((bits >= self.members["dropped_below"]).to(x.dtype) / (1 - share))

    def _losses(self, logits: Sequence[Tensor], labels: Tensor) -> Tensor:
        """``LightningNetwork.loss`` of every member, ``[m]``."""
        total = labels.new_zeros(self.size, dtype=torch.float32)
        smoothing = self.members["label_smoothing"]
        for column, (target, scores) in enumerate(zip(self.like.targets, logits, strict=True)):
            k = scores.shape[2]
            weights = self.members[f"class_weights_{column}"]
            own = labels[:, :, column, None] == torch.arange(k, device=labels.device)
            known = own.any(dim=2, keepdim=True)
            wanted = weights * ((1 - smoothing) * own + smoothing / k * known)
            summed = -(wanted * scores.log_softmax(dim=2)).sum(dim=(1, 2))
            rows = (weights * own).sum(dim=(1, 2))
            mean = summed / rows.clamp_min(torch.finfo(torch.float32).tiny)
            total = total + self.like.config.loss_weights.get(target, 1.0) * mean
        return total

    def _update(self, gradient: Tensor, rates: Rates) -> None:
        """AdamW, Adam or SGD as torch has them, with each member's own numbers.

        As few passes over the weights as can be: on a CPU they take most of the time. A member
        that is not active stays as it is.
        """
        members, flat, active = self.members, self.members["parameters"], rates.active
        decay = members["weight_decay"][:, 0]
        if self._optimizer == "adamw":
            flat.mul_(1 - rates.lr * decay)
        else:
            gradient.addcmul_(flat, decay)
        if self._optimizer == "sgd":
            kept = torch.lerp(torch.ones_like(active), rates.momentum, active)
            moment = members["moment_1"].mul_(kept).addcmul_(gradient, active)
            flat.addcmul_(moment, -rates.lr)
            return
        moment = members["moment_1"].lerp_(gradient, active * (1 - rates.momentum))
        square = members["moment_2"].lerp_(gradient.square_(), active * (1 - _BETA2))
        size = rates.lr / rates.correction
        # -size * moment / (root / correction + eps), the size being part of the divisor.
        by = -1 / size.clamp_min(_TINY)
        scale = by / rates.root_correction
        flat.addcdiv_(moment, torch.addcmul(_EPS * by, square.sqrt(), scale))


def _learnt(network: LightningNetwork) -> list[nn.Parameter]:
    return [one for one in network.parameters() if one.requires_grad]


def _linear(x: Tensor, of: dict[str, Tensor], name: str) -> Tensor:
    if f"{name}.bias" not in of:
        return torch.bmm(x, of[f"{name}.weight"].transpose(1, 2))
    return torch.baddbmm(of[f"{name}.bias"][:, None], x, of[f"{name}.weight"].transpose(1, 2))
