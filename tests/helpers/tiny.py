"""The configuration of an experiment that takes two seconds, on a synthetic corpus."""

TINY = """\
experiment: tiny
data:
  synthetic: {speakers: 12, sentences: 1, sample_rate: 8000}
  targets: {gender: [female, male], emotion: [angry, happy, sad, neutral]}
  audio: {sample_rate: 8000}
  denoise: {method: none}
  features:
    functionals:
      preset: null
      include: {mfcc: [mean, std], zero_crossing_rate: [mean]}
      n_mfcc: 12
      n_mels: 40
      n_fft: 512
      hop_length: 256
  split: {protocol: kfold, folds: 2, dev: 0.34}
models:
  mlp: {hidden: [16], batch_size: 8, patience: 3}
  knn: {n_neighbors: [1, 3], metric: [euclidean], folds: 2}
  svm: {C: [1.0], folds: 2}
  logreg: {C: [1.0], folds: 2}
trainer: {max_epochs: 4, accelerator: cpu}
evaluation: {resamples: 500, figures: false, clustering: {k: [2], pca: 3}}
report: {mistakes: 2}
parallel: {backend: threading, n_jobs: 1}
"""
