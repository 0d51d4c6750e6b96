"""The classical models, one a file.

A configuration is read by importing them: scikit-learn and NumPy are imported within functions.
"""
