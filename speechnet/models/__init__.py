"""Classifiers: the network, the classical baselines, and their searches."""
