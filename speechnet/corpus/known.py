"""Whether a corpus is known and its folder is there.

Imports nothing that computes, so that a wrong name or folder is answered at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.wording import did_you_mean
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.discovery import resolve_root


def shipped_definitions() -> list[str]:
    """The names of the definitions that come with speechnet."""
    folder = resources.files("speechnet.corpus") / "definitions"
    return sorted(
        Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def check_name(name: str) -> bool:
    """Check that a corpus's name is a shipped definition's, or the path of a ``.yaml``.

    Returns:
        Whether it is a path.

    Raises:
        ConfigError: it is neither.
    """
    if name.endswith((".yaml", ".yml")):
        return True
    if name not in (known := shipped_definitions()):
        raise ConfigError(
            f"data.corpus.name: no corpus is called {name!r}{did_you_mean(name, known)}. Known are "
            f"{', '.join(known)}; one's own definition is given by its path, ending in .yaml"
        )
    return False


def check_corpora(corpus: CorpusConfig, corpora: Sequence[CorpusConfig] = ()) -> None:
    """Check names and folders as reading the corpora would, before anything is read.

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
    check_name(corpus.name)
    if corpus.name != "synthetic" or corpus.root is not None:
        resolve_root(corpus.root)


@contextmanager
def saying(key: str, about: str = "") -> Iterator[None]:
    """Let messages name the key of this corpus, where one alone would be ``data.corpus``."""
    try:
        yield
    except (ConfigError, DataError) as error:
        said = (
            str(error).replace("--data.corpus.", "data.corpus.").replace("data.corpus.", f"{key}.")
        )
        raise type(error)(f"{key}{about}: {said}" if about else said) from error
