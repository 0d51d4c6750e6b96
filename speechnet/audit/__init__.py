"""What may be wrong with a corpus and with its division, said before anything is trained."""
