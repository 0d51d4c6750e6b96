"""A run in the browser: record or upload speech, see what the models make of it."""
