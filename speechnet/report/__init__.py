"""What a run found: as records, figures, terminal tables and the HTML report.

All of it is made from the tables of one run (``data.ReportData``). What computes a score, trains
or reads a sound doesn't belong here.
"""
