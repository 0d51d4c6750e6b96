"""The command line: ``main`` with the exit codes, and a module for each command."""
