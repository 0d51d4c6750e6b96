"""Whether a corpus is known and its folder is there.

Imports nothing that computes, so that a wrong name or folder is answered at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from speechnet.core.errors import ConfigError, DataError
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import definition_path
from speechnet.corpus.discovery import resolve_root


def check_corpora(corpus: CorpusConfig, corpora: Sequence[CorpusConfig] = ()) -> None:
    """Check names and folders before anything is read.

    Args:
        corpus: the only one, unless there are ``corpora``; the synthetic one needs no folder.
        corpora: several instead.

    Raises:
        ConfigError: a name is unknown, or a folder isn't given.
        DataError: a folder isn't there.
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
    """Put the key of one of several corpora in place of ``data.corpus`` in messages."""
    try:
        yield
    except (ConfigError, DataError) as error:
        said = (
            str(error).replace("--data.corpus.", "data.corpus.").replace("data.corpus.", f"{key}.")
        )
        raise type(error)(f"{key}{about}: {said}" if about else said) from error
