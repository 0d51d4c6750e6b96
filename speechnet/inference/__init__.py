"""A saved run applied: inputs, windows, answers and the growing table; never a model's training."""
