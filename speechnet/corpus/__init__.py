"""Read a corpus of labelled speech into one table."""
