"""Folds: protocols that divide recordings into train, dev and test, and what they demand.

Here goes all that decides who is trained on and who is tested; published folds are one YAML each.
"""
