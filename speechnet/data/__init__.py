"""The Lightning data module: corpus, features and folds in order, and batches of them."""
