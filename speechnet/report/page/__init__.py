"""The report of a run as one HTML file, filled from tables alone."""

from speechnet.report.page.material import Material
from speechnet.report.page.page import page

__all__ = ["Material", "page"]
