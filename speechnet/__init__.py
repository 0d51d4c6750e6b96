"""Recognise the gender and emotion of a speaker from speech, and learn which way works."""

__version__ = "0.1.0"
