"""The terminal: messages and the line of progress."""
