"""The search of hyper-parameters on inner folds, and work that candidates share."""
