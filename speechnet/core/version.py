"""The version's number, apart from the package that the others belong to."""

__version__ = "0.1.0"
