"""The figures of a report: one file each, which registers itself. Nothing else belongs here."""
