"""Corpus, features and folds in order: the data module, which runs the steps before any model.

The steps themselves, ``corpus``, ``audio``, ``denoise`` and ``splits``, are folders beside this one
rather than inside it, so that the flow of data can be read off the names of the folders.
"""
