"""What is printed at the end of a command."""
