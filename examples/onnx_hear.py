"""Recognise recordings with an exported crnn: python onnx_hear.py model.onnx a.wav b.wav."""

import json
import sys

import onnxruntime
import soundfile

model = onnxruntime.InferenceSession(sys.argv[1])
about = model.get_modelmeta().custom_metadata_map
print("What the model takes:", about["samples"], file=sys.stderr)  # noqa: T201
for file in sys.argv[2:]:
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    if rate != 16_000:
        sys.exit(f"{file} has {rate} Hz, expected 16000 Hz: resample it first")
    found = model.run(None, {"samples": samples.mean(axis=1)})
    for (target, classes), values in zip(json.loads(about["classes"]).items(), found, strict=True):
        shares = {name: round(float(p), 6) for name, p in zip(classes, values, strict=True)}
        print(file, target, json.dumps(shares), sep="\t")  # noqa: T201 - the result
