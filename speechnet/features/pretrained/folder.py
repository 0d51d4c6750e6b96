"""The folder of a pretrained encoder, read and checked without its weights.

``config.json`` says what the network is, ``preprocessor_config.json`` how samples are prepared for
it. The weights are taken as safetensors only: every other format holds pickles, which run code.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from speechnet.core.errors import ConfigError
from speechnet.core.reading import PlainError, open_regular, parse_json, read_text
from speechnet.core.wording import listing

CONFIG: Final = "config.json"
PREPROCESSOR: Final = "preprocessor_config.json"
PROCESSOR: Final = "processor_config.json"  # which newer versions write instead, around the same
WEIGHTS: Final = "model.safetensors"
INDEX: Final = f"{WEIGHTS}.index.json"
ADAPTER: Final = "adapter_config.json"

_PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5"})
_LAYERS: Final = ("num_hidden_layers", "encoder_layers", "encoder_num_hidden_layers")
_WIDTH: Final = ("hidden_size", "d_model")
_RATES: Final = (4_000, 192_000)
# Seconds that an encoder without a front end that is known here gets at least.
_SHORTEST: Final = 0.1
_LONGEST_HEADER: Final = 100_000_000  # bytes, the bound of safetensors itself
_LFS: Final = b"version https://git-lfs"


@dataclass(frozen=True)
class Encoder:
    """What is known of an encoder before its weights are read.

    Attributes:
        path: its folder.
        architecture: the ``model_type`` of its configuration, such as ``wavlm``.
        classes: those of transformers that it was saved from, such as ``WavLMModel``.
        layers: hidden states: the input of the first layer, and the output of each.
        width: numbers in a frame of each.
        rate: the sample rate that it was trained with, in Hz.
        shortest: the fewest samples that give a frame.
        longest: the most samples that it takes at once; None if there is no bound.
        hop: samples from one frame to the next; None if only the network itself can tell.
        files: what decides its numbers, the weights last.
    """

    path: Path
    architecture: str
    classes: tuple[str, ...]
    layers: int
    width: int
    rate: int
    shortest: int
    longest: int | None
    hop: int | None
    files: tuple[Path, ...]

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each of ``files`` by name."""
        return {path.name: _digest(path, _state(path)) for path in self.files}


@lru_cache(maxsize=8)
def read_encoder(path: Path) -> Encoder:
    """Read the configuration of an encoder.

    Raises:
        ConfigError: there is no such folder, it isn't a speech encoder's or is that of an
            adapter, or its weights aren't whole safetensors.
    """
    if not path.is_dir():
        there = "is a file, expected the folder around it"
        # A finished run can't be given another place: its config.yaml is as it was.
        kind = there if path.is_file() else "doesn't exist; put it, or a link to it, there"
        raise ConfigError(f"the encoder's folder {path} {kind}")
    if (path / ADAPTER).exists():
        # transformers would load whatever encoder it names, from wherever that lies.
        raise ConfigError(
            f"{path} holds an adapter ({ADAPTER}), expected a whole encoder: merge it into its "
            "encoder (peft's merge_and_unload) and save that"
        )
    config = _json(path / CONFIG)
    prepared, preparing = _preprocessor(path)
    rate = preparing.get("sampling_rate")
    if rate is None:
        kind = config.get("model_type", "unknown")
        raise ConfigError(
            f"{path} holds no speech encoder (its model_type is {kind!r}): "
            f"expected a {PREPROCESSOR} with a sampling_rate beside {CONFIG}"
        )
    if type(rate) is not int or not _RATES[0] <= rate <= _RATES[1]:
        raise ConfigError(
            f"{prepared}: sampling_rate is {rate!r:.40}, expected {_RATES[0]:,} to {_RATES[1]:,} Hz"
        )
    shortest, longest, hop = _reach(config, preparing, rate)
    return Encoder(
        path=path,
        architecture=str(config.get("model_type", "")),
        classes=_texts(config.get("architectures")),
        layers=_count(config, _LAYERS, path) + 1,
        width=_count(config, _WIDTH, path),
        rate=rate,
        shortest=shortest,
        longest=longest,
        hop=hop,
        files=(path / CONFIG, prepared, *_weights(path)),
    )


def _preprocessor(path: Path) -> tuple[Path, Mapping[str, Any]]:
    """The file that says how samples are prepared, and what it says; nothing if there is none."""
    if (path / PROCESSOR).is_file():
        inner = _json(path / PROCESSOR).get("feature_extractor")
        if isinstance(inner, dict):
            return path / PROCESSOR, inner
    if not (path / PREPROCESSOR).is_file():
        return path / PREPROCESSOR, {}
    return path / PREPROCESSOR, _json(path / PREPROCESSOR)


def _reach(
    config: Mapping[str, Any], preparing: Mapping[str, Any], rate: int
) -> tuple[int, int | None, int | None]:
    """The fewest and the most samples at once, and those from one frame to the next."""
    kernels, strides = (_numbers(config.get(key)) for key in ("conv_kernel", "conv_stride"))
    if kernels and strides and "squeeze_factor" not in config:
        field = 1  # samples that a frame sees
        for kernel, stride in zip(reversed(kernels), reversed(strides), strict=False):
            field = (field - 1) * stride + kernel
        return field, None, math.prod(strides)
    if config.get("model_type") == "whisper":
        hop, most = preparing.get("hop_length"), preparing.get("n_samples")
        if type(hop) is int and type(most) is int and 0 < hop <= most:
            return hop, most, 2 * hop
    return round(_SHORTEST * rate), None, None


def _numbers(value: object) -> list[int]:
    """A list of whole numbers above 0; empty if it is anything else."""
    found = value if isinstance(value, list) else []
    return found if all(type(one) is int and one > 0 for one in found) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _count(config: Mapping[str, Any], keys: tuple[str, ...], path: Path) -> int:
    found = [config[key] for key in keys if type(config.get(key)) is int and config[key] > 0]
    if not found:
        raise ConfigError(f"{path / CONFIG} has no {' or '.join(keys)}, expected a whole number")
    return int(found[0])


def _weights(path: Path) -> tuple[Path, ...]:
    """The files of the weights, each whole."""
    if (path / WEIGHTS).is_file():
        files = [path / WEIGHTS]
    elif (path / INDEX).is_file():
        parts = _json(path / INDEX).get("weight_map")
        names = sorted({*parts.values()}) if isinstance(parts, dict) else []
        if not names or any(not isinstance(n, str) or Path(n).name != n for n in names):
            raise ConfigError(f"{path / INDEX} has no weight_map of names to files in its folder")
        files = [path / name for name in names]
    else:
        pickles = sorted(one.name for one in path.iterdir() if one.suffix in _PICKLES)
        held = f", only {listing(pickles)}, which may run code when read" if pickles else ""
        raise ConfigError(
            f"{path} holds no {WEIGHTS}{held}; take a revision that has it, or save the model "
            "with transformers' save_pretrained"
        )
    for file in files:
        _check_safetensors(file)
    return tuple(files)


def _check_safetensors(path: Path) -> None:
    """Refuse a file that isn't as long as its header says."""
    try:
        with open_regular(path) as file:
            start = file.read(8)
            size = int.from_bytes(start, "little")
            if (start + file.read(32)).startswith(_LFS):
                raise ConfigError(f"{path} is a Git LFS pointer: fetch it with git lfs pull")
            file.seek(8)
            if not 0 < size <= _LONGEST_HEADER:
                raise ValueError
            header = parse_json(file.read(size))
            ends = [one["data_offsets"][1] for name, one in header.items() if name[:2] != "__"]
            length = os.fstat(file.fileno()).st_size
            expected = 8 + size + max(ends)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ConfigError(f"{path} isn't a safetensors file; copy it again") from None
    if length != expected:
        raise ConfigError(
            f"{path} has {length:,} bytes, expected {expected:,}: it was cut short or changed; "
            "copy it again"
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(read_text(path))
    except FileNotFoundError:
        raise ConfigError(f"the encoder's folder {path.parent} has no {path.name}") from None
    except (OSError, UnicodeDecodeError, PlainError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds {str(found)[:40]!r}, expected keys with values")
    return found


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _digest(path: Path, state: tuple[int, int]) -> str:  # noqa: ARG001 - of the file, for the cache
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
