"""One module a verb: ``parser`` has its arguments, ``run`` hands them to ``speechnet.runs``."""
