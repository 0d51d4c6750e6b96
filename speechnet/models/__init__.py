"""Models and all that trains them.

``model`` is the contract of every model; ``classical``, ``neural`` and ``ensemble`` hold one model
a file, and nothing else. Models share ``scikit`` for those of scikit-learn, ``training`` for
networks, ``search``, ``calibration`` and ``scaling``.
"""
