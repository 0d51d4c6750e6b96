"""Scores, ROC curves and cluster reports: pure functions of arrays and tables."""

from speechnet.evaluation.classification import classification_scores, confusion
from speechnet.evaluation.clustering import Clustering, ClusteringConfig, cluster_features
from speechnet.evaluation.roc import RocCurve, roc_curve, roc_curves
from speechnet.evaluation.scores import confusion_table, score_predictions, validate_predictions

__all__ = [
    "Clustering",
    "ClusteringConfig",
    "RocCurve",
    "classification_scores",
    "cluster_features",
    "confusion",
    "confusion_table",
    "roc_curve",
    "roc_curves",
    "score_predictions",
    "validate_predictions",
]
