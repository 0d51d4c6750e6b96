"""Feature extractors, one module or package each; ``extractor`` is the contract they fulfil.

``extraction`` runs them over a corpus. What is neither an extractor nor part of running one belongs
elsewhere: every module here is imported when the command line is read, so none imports at its top
what computes.
"""
