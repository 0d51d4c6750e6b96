"""The report of a run as one HTML file, filled from tables alone."""

from speechnet.report.html.page import page
from speechnet.report.report_data import ReportData

__all__ = ["ReportData", "page"]
