"""The networks, one per file.

A configuration is read by importing them: torch and NumPy are imported within functions.
"""
