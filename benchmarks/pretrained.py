"""Row 14: a base-size pretrained encoder, from files to rows, and the second time."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

import joblib
import numpy as np
import torch

from benchmarks.harness import Bench, Measured, gate, in_turns, one_thread, original, timed
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load_at_rates
from speechnet.core.clip_batches import keep_freed_memory
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.pretrained import Pretrained

_RATE: Final = 16_000
_LAYERS: Final = 12


def files_to_rows(bench: Bench, *, rounds: int = 5) -> list[Measured]:
    """Our extraction against the bare network, both on one thread, and a warm run."""
    from transformers import AutoFeatureExtractor, AutoModel

    root = bench.synthetic(speakers=4, sentences=1)
    table = original(root).table
    recipe = Recipe(AudioConfig(), DenoiseConfig(method="none"), {
        "pretrained": Pretrained(model=str(_encoder(bench.folder / "hubert")), layers="last")
    })  # fmt: skip

    def run(*, keep: bool = False) -> Extraction:
        cache = bench.folder / "cache_pretrained"
        if not keep:
            shutil.rmtree(cache, ignore_errors=True)
        with joblib.parallel_config(backend="threading", n_jobs=1):
            return extract_features(root, table, recipe, cache_dir=cache)

    folder = recipe.extractors["pretrained"].encoder.path  # type: ignore[attr-defined]
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    prepare = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    inputs = []
    for path in table["path"]:
        clips, _ = load_at_rates(root / path, recipe.audio, [_RATE])
        made = prepare(clips[_RATE], sampling_rate=_RATE, return_tensors="pt")
        inputs.append(made["input_values"])

    def bare() -> list[np.ndarray]:
        with torch.inference_mode():
            return [model(each).last_hidden_state[0].mean(dim=0).numpy() for each in inputs]

    keep_freed_memory()
    with one_thread():
        found = run().features.matrix.X[:, : model.config.hidden_size]
        off = float(np.abs(found - np.stack(bare())).max())
        text = gate(off < 5e-3, f"means of the last layer differ by {off:.0e}, stored as float16")
        seconds = in_turns(run, bare, rounds=rounds, warm=False, clock=time.process_time)
    run()
    warm = [timed(lambda: run(keep=True), time.process_time) for _ in range(rounds)]
    files = f"{len(table)} recordings, wav to {_LAYERS + 1} pooled layers of a base-size encoder"
    return [
        Measured("14", files, "its bare forward pass, samples prepared", *seconds, target=0.91,
                 gate=text, note="a core's time, not the clock's"),
        Measured("14", "the same, once more", "cold", warm, seconds[0], target=2.0, shares=True),
    ]  # fmt: skip


def _encoder(folder: Path) -> Path:
    """HuBERT's base size, its weights random."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    HubertModel(HubertConfig(num_hidden_layers=_LAYERS)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder
