"""What a user sees while the program runs; code that computes takes a callback instead."""
