"""The command line: ``main`` with the exit codes, and a module for each command.

A command reads its options, refuses what it can before anything that computes is imported, and
calls one function of another package.
"""
