"""Read a corpus of labelled speech into one table."""

from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import Definition
from speechnet.corpus.definition_file import load_definition, shipped_definitions
from speechnet.corpus.reader import Corpus, load_corpus

__all__ = [
    "Corpus",
    "CorpusConfig",
    "Definition",
    "load_corpus",
    "load_definition",
    "shipped_definitions",
]
