"""Models and all that trains them.

``model`` is what every model is; ``classical``, ``neural`` and ``ensemble`` hold one model a file,
and nothing else. What models share: ``scikit`` for those of scikit-learn, ``training`` for
networks, ``tuning`` for searches, ``calibration`` and ``scaling``.
"""
