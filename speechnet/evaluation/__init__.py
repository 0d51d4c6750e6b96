"""Scores, ROC curves and cluster reports: pure functions of arrays and tables."""
