"""Protocols that divide the recordings into train, dev and test, and the checks they must pass."""
