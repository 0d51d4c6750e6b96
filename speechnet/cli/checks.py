"""What can be refused of an experiment before anything that computes is imported."""

from __future__ import annotations

from pathlib import Path

from speechnet.config.experiment import ExperimentConfig
from speechnet.corpus.known import check_corpora
from speechnet.experiment.run_location import check_writable


def check_experiment(config: ExperimentConfig) -> None:
    """Check that its corpora are there and its runs can be written.

    Raises:
        SpeechnetError: a corpus's name or folder, or ``out``, is wrong.
    """
    check_corpora(config.data.corpus, config.data.corpora)
    check_writable(Path(config.out))
