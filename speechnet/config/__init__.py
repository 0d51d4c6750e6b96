"""The configuration: one YAML, checked key by key, overridable on the command line."""
