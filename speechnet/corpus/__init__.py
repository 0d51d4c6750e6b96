"""Corpora: where recordings lie and how they are labelled, read into one table.

Here go definitions of corpora, readers of file names and tables, and the synthetic corpus; nothing
that decodes sound.
"""
