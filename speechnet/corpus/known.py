"""Early checks of the corpora that a configuration names; nothing here computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from speechnet.core.errors import ConfigError, DataError
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import definition_path
from speechnet.corpus.discovery import resolve_root


def check_corpora(corpus: CorpusConfig, corpora: Sequence[CorpusConfig] = ()) -> None:
    """Check the names and folders of the corpus, or of several corpora instead of it.

    Raises:
        ConfigError: a name is unknown, or a folder isn't given; only the synthetic corpus needs
            none.
        DataError: a folder doesn't exist.
    """
    if not corpora:
        _check(corpus)
    for number, each in enumerate(corpora):
        with saying(f"data.corpora[{number}]", f" ({each.name})"):
            _check(each)


def _check(corpus: CorpusConfig) -> None:
    definition_path(corpus.name)
    if corpus.name != "synthetic" or corpus.root is not None:
        resolve_root(corpus.root)


@contextmanager
def saying(key: str, about: str = "") -> Iterator[None]:
    """Name one of several corpora by its key, in place of ``data.corpus``, in error messages."""
    try:
        yield
    except (ConfigError, DataError) as error:
        said = str(error).replace("--data.corpus.", "data.corpus.")
        said = said.replace("data.corpus.", f"{key}.")
        raise type(error)(f"{key}{about}: {said}" if about else said) from error
