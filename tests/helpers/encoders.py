"""Tiny speech encoders with random weights, one of each kind, as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

RATE: Final = 16_000

_WAVES: Final[dict[str, Any]] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8] * 7,
    "num_feat_extract_layers": 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 8,
}
_LAYER: Final = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_MELS: Final[dict[str, Any]] = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "vocab_size": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}

_TEXT: Final = {key: value for key, value in _MELS.items() if "suppress" not in key}

KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "wav2vec2-group": ("Wav2Vec2", _WAVES),
    "wav2vec2-layer": ("Wav2Vec2", _WAVES | _LAYER),
    "hubert": ("Hubert", _WAVES),
    "wavlm": ("WavLM", _WAVES | _LAYER),
    "data2vec": ("Data2VecAudio", _WAVES | {"conv_pos_kernel_size": 5}),
    "w2v-bert": (
        "Wav2Vec2Bert",
        {key: value for key, value in _WAVES.items() if "conv" not in key},
    ),
    "conformer": ("Wav2Vec2Conformer", _WAVES),
    "transcriber": ("Speech2Text", _TEXT | {"conv_channels": 16}),
    "patches": ("AST", {key: _WAVES[key] for key in [*_WAVES][:4]} | {"max_length": 100}),
    "whisper": ("Whisper", _MELS | {"num_mel_bins": 80, "max_source_positions": 100}),
}
"""transformers' name of each kind, and its configuration."""


def encoder_folder(folder: Path) -> Path:
    """The files of an encoder without any weights: enough for a configuration to be checked."""
    settings = {"model_type": "wavlm", "num_hidden_layers": 2, "hidden_size": 4}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": RATE}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
    content = len(header).to_bytes(8, "little") + header
    (folder / "model.safetensors").write_bytes(content)
    return folder


def save_encoder(kind: str, folder: Path, **changes: Any) -> Path:
    """Save an encoder of a kind with weights of seed 0; ``changes`` are of its configuration."""
    import torch
    import transformers

    named, settings = KINDS[kind]
    config = getattr(transformers, f"{named}Config")(**settings | changes)
    torch.manual_seed(0)
    getattr(transformers, f"{named}Model")(config).save_pretrained(folder)
    if named == "Whisper":
        prepare = transformers.WhisperFeatureExtractor(feature_size=80, chunk_length=2)
    elif named == "Speech2Text":
        prepare = transformers.Speech2TextFeatureExtractor()
    elif named == "AST":
        prepare = transformers.ASTFeatureExtractor(max_length=100)
    elif named == "Wav2Vec2Bert":
        prepare = transformers.SeamlessM4TFeatureExtractor()
    else:
        prepare = transformers.Wav2Vec2FeatureExtractor(return_attention_mask="layer" in kind)
    prepare.save_pretrained(folder)
    return folder
