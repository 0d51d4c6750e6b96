"""Sounds changed as rooms, lines and microphones change them.

Effects are functions of samples; nothing here knows labels, features or folds.
"""
