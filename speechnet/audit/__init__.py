"""What may be wrong with a corpus and its folds, as findings.

Pure functions of tables and features: nothing here reads a sound or knows a model.
"""
