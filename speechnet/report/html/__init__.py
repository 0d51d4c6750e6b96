"""The report as one HTML file: Jinja2 templates, filled from tables, all text escaped."""
