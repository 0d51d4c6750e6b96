"""The report of a run as one HTML file, filled from tables alone."""
