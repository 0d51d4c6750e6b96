"""The built-in synthetic corpus."""
