"""A pretrained encoder in memory: from samples to the frames of all its layers.

A clip's numbers don't depend on the clips beside it, up to rounding. The kinds of network in
``_PADDED`` mask the padding of a batch, except in a group norm over time, which therefore sees one
clip at a time. Of the other kinds, positional convolutions and attention see the padding: their
clips share a batch only if they are of one length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from speechnet.core.clip_batches import ClipBatches, keep_freed_memory
from speechnet.core.errors import ConfigError, in_words
from speechnet.core.types import Float32
from speechnet.core.wording import listing
from speechnet.features.pretrained.folder import Encoder

_PADDED: Final = frozenset({"wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat"})
_WHISPER: Final = "whisper"

# Weights that training alone needs, or that belong to what stands on top of an encoder.
_UNUSED_MISSING: Final = ("masked_spec_embed",)
_UNUSED: Final = (
    "lm_head.", "classifier.", "projector.", "quantizer.", "project_q.", "project_hid.",
    "final_proj.", "label_embs_concat", "proj_out.", "adapter.", "ctc_proj.",
    "masked_spec_embed",
)  # fmt: skip

Reduce = Callable[[Sequence[Tensor], Tensor], Sequence[Tensor]]
"""Takes the layers' frames, ``[b, t, d]`` each, and int64 ``[b]``, how many of them are each clip's
own; gives a float32 tensor for each clip."""


class Network:
    """An encoder on one device.

    Args:
        encoder: its folder.
        dtype: the name of torch's type to compute with.
        device: cpu, cuda and so on.

    Raises:
        ConfigError: the folder's weights aren't those of the network that it describes.
    """

    def __init__(self, encoder: Encoder, dtype: str, device: str) -> None:
        self.encoder = encoder
        self._model, self._prepare = _load(encoder, getattr(torch, dtype))
        self._model.to(device)
        self._front = _OneByOne.put_into(self._model) if self.pads else None
        # Frames a second, of an encoder whose configuration doesn't tell.
        self.rate = encoder.rate / encoder.hop if encoder.hop else self._measured_rate()

    @property
    def pads(self) -> bool:
        """Whether clips of different lengths may share a batch."""
        return self.encoder.architecture in _PADDED

    def layers(self, y: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Pass clips through the network.

        Args:
            y: float32 mono ``[b, n]`` at the encoder's rate, zero after each clip's end.
            lengths: int64 ``[b]``, samples of each clip.

        Returns:
            For each layer frames ``[b, t, d]`` in the network's type, and int64 ``[b]``: how many
            frames, from the first, are of the clip.

        Raises:
            ConfigError: the network isn't what the folder's configuration says.
        """
        clips = [row[:n] for row, n in zip(y.cpu().numpy(), lengths.tolist(), strict=True)]
        inputs = self._inputs(clips, y.device)
        if self._front is not None:
            self._front.lengths = lengths.tolist()
        # TF32 would round by a thousandth, and by which algorithm a batch's size suggests.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            found = self._model(**inputs, output_hidden_states=True, return_dict=True)
        layers = list(found.hidden_states)
        encoder = self.encoder
        if len(layers) != encoder.layers or layers[0].shape[-1] != encoder.width:
            raise ConfigError(
                f"{encoder.path} gives {len(layers)} layers of {layers[0].shape[-1]} numbers, "
                f"expected {encoder.layers} of {encoder.width} by its configuration"
            )
        return layers, self._own(lengths, layers, inputs)

    def _inputs(self, clips: Sequence[Float32], device: torch.device) -> dict[str, Any]:
        """What the model's own feature extractor makes of clips, on the device."""
        options: dict[str, Any] = {"padding": True}
        if self.encoder.architecture == _WHISPER:
            options = {"padding": "max_length", "device": str(device)}
        elif self.pads:
            options |= {"return_attention_mask": len({*map(len, clips)}) > 1}
        made = self._prepare(
            [*clips], sampling_rate=self.encoder.rate, return_tensors="pt", **options
        )
        model = self._model
        return {
            name: value.to(device, model.dtype if value.is_floating_point() else None)
            for name, value in made.items()
        }

    def _own(self, lengths: Tensor, layers: Sequence[Tensor], inputs: dict[str, Any]) -> Tensor:
        """How many of the frames are of each clip."""
        n_frames = layers[0].shape[1]
        if self.encoder.architecture == _WHISPER:
            assert self.encoder.hop is not None  # noqa: S101 - Whisper's is known
            mels = lengths // (self.encoder.hop // 2)
            return ((mels - 1) // 2 + 1).clamp(max=n_frames)
        if self.pads:
            own: Tensor = self._model._get_feat_extract_output_lengths(lengths)
            return own
        mask = inputs.get("attention_mask")
        if mask is not None and mask.shape[-1] == n_frames:
            count: Tensor = mask.sum(dim=-1)
            return count
        return torch.full_like(lengths, n_frames)

    def _measured_rate(self) -> float:
        """Frames per second; refuses an encoder whose frames of padding aren't told from others."""
        own_noise = torch.Generator().manual_seed(0)  # it leaves torch's own numbers alone
        y = torch.randn(1, 2 * self.encoder.rate, generator=own_noise).to(self._model.device)
        counts = []
        with torch.inference_mode():
            for seconds in (1, 2):
                n = seconds * self.encoder.rate
                _, own = self.layers(y[:, :n], torch.tensor([n], device=y.device))
                counts.append(int(own))
        if counts[0] == counts[1]:
            raise ConfigError(
                f"{self.encoder.path} gives as many frames of one second as of two: it pads "
                "recordings, and speechnet doesn't know how an encoder of the kind "
                f"{self.encoder.architecture} does that"
            )
        return float(counts[1] - counts[0])


class _OneByOne(nn.Module):
    """A convolutional front end that sees each clip alone and at its true length.

    Attributes:
        lengths: samples of each clip of the next batch.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.lengths: list[int] = []

    @classmethod
    def put_into(cls, model: Any) -> _OneByOne | None:
        """Put it around a model's front end, if that normalises over time."""
        if getattr(model.config, "feat_extract_norm", "group") != "group":
            return None
        model.feature_extractor = cls(model.feature_extractor)
        made: _OneByOne = model.feature_extractor
        return made

    def forward(self, y: Tensor) -> Tensor:
        """Samples ``[b, n]`` to frames ``[b, channels, t]``, zero after each clip's last."""
        if len(y) == 1:
            made: Tensor = self.inner(y)
            return made
        rows = [self.inner(y[i : i + 1, :n]) for i, n in enumerate(self.lengths)]
        longest = max(row.shape[-1] for row in rows)
        return torch.cat([pad(row, (0, longest - row.shape[-1])) for row in rows])


def _load(encoder: Encoder, dtype: torch.dtype) -> tuple[Any, Any]:
    """The model, and what prepares samples for it; all weights accounted for."""
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

    place = {"local_files_only": True, "trust_remote_code": False}
    path = encoder.path
    try:
        with _silent():
            config = AutoConfig.from_pretrained(path, **place)
            config.add_adapter = False  # it would shorten the last layer
            model, info = AutoModel.from_pretrained(
                path, config=config, use_safetensors=True, output_loading_info=True, dtype=dtype,
                attn_implementation=None,  # transformers' own, and not what config.json names
                **place,
            )  # fmt: skip
            prepare = AutoFeatureExtractor.from_pretrained(path, **place)
    except Exception as error:  # whatever is wrong with the folder
        said = " ".join(in_words(error).split())
        raise ConfigError(f"transformers can't load the encoder {path}: {said:.300}") from error
    missing = {name for name in info["missing_keys"] if not name.endswith(_UNUSED_MISSING)}
    spare = {name for name in info["unexpected_keys"] if not _is_head(name)}
    for what, names in {"lack": missing, "have, unknown to that network,": spare}.items():
        if names:
            raise ConfigError(
                f"the weights in {path} aren't those of the network that its config.json "
                f"describes ({encoder.architecture}): they {what} {listing(sorted(names), 5)}"
            )
    model.eval()
    return (model.get_encoder() if config.is_encoder_decoder else model), prepare


def _is_head(name: str) -> bool:
    """Whether a weight isn't the encoder's, with the model's own prefix or without."""
    inner = name.partition(".")[2]
    return name.startswith(_UNUSED) or inner.startswith(_UNUSED)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without transformers' own messages and progress: what they say is checked here."""
    from transformers.utils import logging

    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


@lru_cache(maxsize=2)
def network(encoder: Encoder, dtype: str, device: str) -> Network:
    """A network that stays in memory."""
    return Network(encoder, dtype, device)


@lru_cache(maxsize=4)
def batches(encoder: Encoder, device: str, seconds: float) -> ClipBatches:
    """The batches of a device, which remember the size that its memory is too small for."""
    keep_freed_memory()
    return ClipBatches(
        device,
        batch_samples=None if device == "cpu" else round(seconds * encoder.rate),
        padded_to=encoder.longest or 0,
        mixed=encoder.architecture in _PADDED or encoder.architecture == _WHISPER,
    )


def describe(
    windows: Sequence[Float32], encoder: Encoder, dtype: str, clips: ClipBatches, reduce: Reduce
) -> list[Float32]:
    """Pass windows through an encoder, and keep what ``reduce`` makes of their frames.

    Args:
        windows: float32 mono ``[n_samples]`` each, none shorter than the encoder takes.
        encoder: its folder.
        dtype: the name of torch's type to compute with.
        clips: puts the windows together.
        reduce: see ``Reduce``.

    Returns:
        float32, what ``reduce`` gives for each window.
    """

    def compute(y: Tensor, lengths: Tensor) -> list[Float32]:
        layers, own = network(encoder, dtype, str(y.device)).layers(y, lengths)
        return [one.cpu().numpy() for one in reduce(layers, own)]

    return clips.map(windows, compute)
