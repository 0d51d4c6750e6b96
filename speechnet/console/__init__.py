"""What a user sees while the program runs: messages and progress.

Only what talks to a user enters: the command line and what it calls. What computes takes a callback
or returns its notes.
"""
