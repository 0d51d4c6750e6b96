"""Runs beside each other: reading them, what differs, and the result in words and pages."""
