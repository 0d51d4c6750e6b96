"""Statistics over time, each clip over its own frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from speechnet.features.functionals.torch_backend import kernels
from speechnet.features.functionals.torch_backend.frames import Chosen, Clips


def summarise(
    values: Mapping[str, Tensor], groups: Mapping[str, Sequence[str]], clips: Clips | Chosen
) -> Tensor:
    """All statistics of all features: float32 ``[b, d]``, in the order of ``Functionals.columns``.

    ``values`` are float32 ``[b, frames, rows]`` of each feature; of one that is counted, the count
    itself, ``[b, 1, 1]``. ``clips`` says which frames count; statistics over none are NaN.
    """
    found: dict[tuple[str, str], Tensor] = {}
    kinds = {name: [name] for name in ("mean", "std", "min", "max", "count")}
    every = dict.fromkeys(name for names in groups.values() for name in names)
    kinds["percentile"] = [name for name in every if name not in kinds]
    for kind, statistics in kinds.items():
        # One pass over all features that ask for it: calls cost more than numbers here.
        asked = [feature for feature, names in groups.items() if set(names) & set(statistics)]
        if not asked:
            continue
        rows = torch.cat([values[feature] for feature in asked], dim=-1)
        parts = _over_time(rows, kind, statistics, clips)
        sizes = [values[feature].shape[-1] for feature in asked]
        for statistic, part in zip(statistics, parts, strict=True):
            for feature, columns in zip(asked, part.split_with_sizes(sizes, dim=-1), strict=True):
                found[feature, statistic] = columns
    ordered = [found[feature, name] for feature, names in groups.items() for name in names]
    return torch.cat(ordered, dim=-1)


def _over_time(
    values: Tensor, kind: str, statistics: Sequence[str], clips: Clips | Chosen
) -> Sequence[Tensor]:
    """One kind of statistic: ``[b, frames, rows]`` to a ``[b, rows]`` for each of its names."""
    if kind == "count":
        return [values[:, 0]]
    if kind == "mean":
        return [_mean(values, clips)[:, 0]]
    if kind == "std":
        deviation = values - _mean(values, clips)
        return [_mean(deviation.square_(), clips)[:, 0].sqrt_()]
    if kind == "min":
        return [_filled(values, torch.inf, clips).amin(dim=1)]
    if kind == "max":
        return [_filled(values, -torch.inf, clips).amax(dim=1)]
    return _percentiles(values, [float(name[1:]) for name in statistics], clips)


def centred(values: Tensor, clips: Clips | Chosen) -> Tensor:
    """Less each clip's mean, and zero where a frame doesn't count: ``[b, frames, rows]``."""
    return _filled(values - _mean(values, clips), 0.0, clips)


def _mean(values: Tensor, clips: Clips | Chosen) -> Tensor:
    """``[b, frames, rows] -> [b, 1, rows]``."""
    if clips.equal:
        return values.mean(dim=1, keepdim=True)
    total = _filled(values, 0.0, clips).sum(dim=1, keepdim=True)
    return total / clips.counts[:, None, None]


def _percentiles(
    values: Tensor, percents: Sequence[float], clips: Clips | Chosen
) -> tuple[Tensor, ...]:
    """``numpy.percentile``, linear between neighbours: a ``[b, rows]`` for each."""
    ordered = kernels.sort_last(_filled(values, torch.inf, clips).transpose(1, 2).contiguous())
    # NaN is sorted to the end, after the filling.
    spoilt = ordered[..., -1].isnan()
    position = clips.last.double() * (
        torch.tensor(percents, device=values.device, dtype=torch.float64) / 100
    )
    low = position.floor()
    index = low.long()[:, None].expand(-1, ordered.shape[1], -1)
    above = torch.minimum(index + 1, clips.last[:, None])
    part = (position - low).float()[:, None]
    found = torch.lerp(ordered.gather(-1, index), ordered.gather(-1, above), part)
    return found.masked_fill_(spoilt[..., None], torch.nan).unbind(dim=-1)


def _filled(values: Tensor, filling: float, clips: Clips | Chosen) -> Tensor:
    """Frames beyond a clip's end take a value that does not count."""
    return values if clips.mask is None else values.masked_fill(~clips.mask[..., None], filling)
