"""Corpus, features and folds in order."""
