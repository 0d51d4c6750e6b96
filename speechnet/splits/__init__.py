"""Protocols: how recordings are divided into folds of train, dev and test parts.

Published folds are one YAML each.
"""
