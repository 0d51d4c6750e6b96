"""From predictions to tables: scores, intervals, comparisons, calibration, groups, clusters.

Pure functions of arrays and tables; nothing here knows a model, a sound or a file.
"""
