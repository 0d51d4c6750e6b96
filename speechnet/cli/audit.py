"""``audit``: examine a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from speechnet.cli.fit import read_checked
from speechnet.config.experiment import fit_parser
from speechnet.console.progress import working

parser = partial(fit_parser, "audit", "Examine a corpus: faults, copies, leaks, inflation.")


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    with working("starting"):
        config, _ = read_checked(arguments, parser)
        from speechnet.experiment.audit import audit

    audit(config)
