"""What every other package may use: types, errors, registries, files and text.

It imports no other package. What only one package uses belongs there.
"""
