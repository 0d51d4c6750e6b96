"""What every other package may use: types, errors, files and text. It imports none of them."""
