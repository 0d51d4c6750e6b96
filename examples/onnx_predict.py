"""Recognise recordings with an exported network: python onnx_predict.py model.onnx a.wav b.wav."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load_at_rates
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.compute import compute
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import EXTRACTORS

model = onnxruntime.InferenceSession(sys.argv[1])
about = model.get_modelmeta().custom_metadata_map
print("The run's best model:", about["best_model"], file=sys.stderr)  # noqa: T201
recipe, classes = json.loads(about["recipe"]), json.loads(about["classes"])
if recipe["per_speaker"]:
    sys.exit(recipe["per_speaker"])  # one recording says nothing by itself
extractors = {name: EXTRACTORS[name](**keys) for name, keys in recipe["features"].items()}
audio, denoise = AudioConfig(**recipe["audio"]), DenoiseConfig(**recipe["denoise"])
how = Recipe(audio, denoise, extractors)
for file in sys.argv[2:]:
    clips, _ = load_at_rates(Path(file), audio, sorted({*how.rates.values()}))
    rows = compute(how, {rate: [y] for rate, y in clips.items()}, list(extractors))
    X = np.concatenate([rows[name][0] for name in extractors])[None]
    for target, values in zip(classes, model.run(list(classes), {"features": X}), strict=True):
        shares = {
            name: round(float(p), 6) for name, p in zip(classes[target], values[0], strict=True)
        }
        print(file, target, json.dumps(shares), sep="\t")  # noqa: T201 - the result
