"""The command line: ``main`` with the exit codes, and a module for each command.

A command reads its options, checks them before it imports anything that computes, and calls one
function of another package.
"""
