"""Runs compared: reading them, what differs, and the result in words and pages."""
