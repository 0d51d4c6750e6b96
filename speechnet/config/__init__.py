"""The configuration: one YAML, checked key by key, overridable on the command line.

Nothing that computes is imported here.
"""
