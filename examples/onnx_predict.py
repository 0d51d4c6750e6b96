"""Recognise recordings with an exported network: python onnx_predict.py model.onnx a.wav b.wav."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.denoise import DenoiseConfig
from speechnet.features.functionals.backends import make_backend
from speechnet.features.functionals.config import FeaturesConfig

model = onnxruntime.InferenceSession(sys.argv[1])
about = model.get_modelmeta().custom_metadata_map
print("The run's best model:", about["best_model"], file=sys.stderr)  # noqa: T201
recipe, classes = json.loads(about["recipe"]), json.loads(about["classes"])
if recipe["per_speaker"]:
    sys.exit(recipe["per_speaker"])  # one recording says nothing by itself
audio, denoise = AudioConfig(**recipe["audio"]), DenoiseConfig(**recipe["denoise"])
backend = make_backend(recipe["backend"], denoise, FeaturesConfig(**recipe["features"]))
for file in sys.argv[2:]:
    X = np.stack(backend.rows([load(Path(file), audio).y], audio.sample_rate))
    for target, values in zip(classes, model.run(list(classes), {"features": X}), strict=True):
        shares = {
            name: round(float(p), 6) for name, p in zip(classes[target], values[0], strict=True)
        }
        print(file, target, json.dumps(shares), sep="\t")  # noqa: T201 - the result
