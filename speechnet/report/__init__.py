"""Figures and terminal tables, drawn from tables alone."""
