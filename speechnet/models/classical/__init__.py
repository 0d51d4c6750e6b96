"""The classical models, one per file.

A configuration is read by importing them: scikit-learn and NumPy are imported within functions.
"""
