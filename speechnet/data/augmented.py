"""Changed copies of training recordings, and the rows that models are fitted on with them.

Rows are positions in the corpus table's ``n`` usable recordings. Behind these, at ``n`` and above,
stand the copies, each with the speaker and labels of its ``origin``. Nothing but training ever
asks for them: dev and test parts, audits and scores are positions below ``n``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import probe
from speechnet.augment.config import Noise
from speechnet.config.data import DataConfig
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.progress import Progress, silent
from speechnet.core.safe_text import printable
from speechnet.core.types import FeatureSet, Int64
from speechnet.corpus.discovery import NO_AUDIO, discover, inside, is_foreign
from speechnet.features.extraction.file_hashes import Content, FileHashes

_ANY: Final = AudioConfig(min_duration=0, max_duration=None)
"""Noises may be of any length."""


def noise_files(config: DataConfig) -> tuple[Path, list[str]]:
    """The folder of noises, and the recordings in it; no recordings where none is named.

    Raises:
        ConfigError: there is no such folder, no recording in it, one that can't be read by its
            header, or one of a corpus's own folder.
    """
    augment = config.augment
    folder = augment.noise.folder
    if not augment.copies or folder is None or "noise" not in augment.effects:
        return Path(), []
    root = Path(folder).expanduser()
    found = [*discover(root.resolve()).files.values()] if root.is_dir() else []
    if not (readable := [path for path in found if not is_foreign(path)]):
        what = f"there are {NO_AUDIO}" if root.is_dir() else "there is no such folder"
        raise ConfigError(f"data.augment.noise.folder is {folder!r:.200}, but {what}")
    corpora = [Path(one.root).expanduser() for one in config.corpora or [config.corpus] if one.root]
    for path in readable:
        if any(inside(corpus.resolve(), str(root.resolve() / path)) for corpus in corpora):
            raise _refused(path, "it lies in a corpus's folder, whose recordings may be tested")
        try:
            probe(root / path, _ANY, whole=False)
        except Excluded as why:
            raise _refused(path, str(why)) from why
    return root.resolve(), readable


def hashed_noises(
    config: DataConfig, corpus: Path, recordings: Sequence[str], progress: Progress = silent
) -> tuple[Noise, ...]:
    """The recordings of ``noise_files`` in the order of their digests.

    Args:
        config: with the folder of noises.
        corpus: the root of the corpus.
        recordings: the paths of its recordings below the root, each once.
        progress: shows how many files are done.

    Raises:
        ConfigError: see ``noise_files``; or a noise is a copy of one of the recordings.
    """
    root, files = noise_files(config)
    if not files:
        return ()
    own = FileHashes(corpus, cache_dir=config.cache).of(recordings)
    known = {one.digest: path for path, one in own.items() if isinstance(one, Content)}
    hashes = FileHashes(root, cache_dir=config.cache, progress=progress)
    contents = hashes.of(files)
    hashes.keep()
    found = {}
    for path, content in contents.items():
        if isinstance(content, Excluded):
            raise _refused(path, str(content))
        if content.digest in known:
            raise _refused(path, f"it is the corpus's {printable(known[content.digest])}")
        found[content.digest] = Noise(content.digest, str(root / path))
    return tuple(found[digest] for digest in sorted(found))


def _refused(path: str, why: str) -> ConfigError:
    return ConfigError(
        f"data.augment.noise.folder: {printable(path)} can't be used as noise, take it out of the "
        f"folder: {why}"
    )


@dataclass(frozen=True)
class Copies:
    """Changed copies of recordings.

    Attributes:
        features: of the ``m`` copies, raw.
        origin: the positions of their recordings in the table, int64 ``[m]``.
        failed: how many more were asked for, and can't be used.
        why: the first of these, in words.
        computed: how many were computed; the others came from the cache.
    """

    features: FeatureSet
    origin: Int64
    failed: int = 0
    why: str = ""
    computed: int = 0

    def only(self, rows: Int64, columns: Int64) -> Copies:
        """Those of some recordings, ``rows`` being their new table, with some of the vectors."""
        place = {int(row): new for new, row in enumerate(rows)}
        kept = np.flatnonzero(np.isin(self.origin, rows))
        found = self.features.only(kept, columns)
        origin = np.array([place[int(row)] for row in self.origin[kept]], dtype=np.int64)
        return Copies(found, origin)


@dataclass(frozen=True)
class TrainingSource:
    """What models are fitted on: all recordings, and behind them the copies.

    Attributes:
        feature_set: of the ``n`` recordings and ``m`` copies.
        labels: int64 ``[n + m, targets]``, -1 where there is no label.
        origin: for each row its recording's, int64 ``[n + m]``; a recording's is its own.
    """

    feature_set: FeatureSet
    labels: Int64
    origin: Int64

    def with_copies(self, rows: Int64) -> Int64:
        """Some recordings, and behind them their copies."""
        copies = np.flatnonzero(self.origin != np.arange(len(self.origin)))
        return np.concatenate([rows, copies[np.isin(self.origin[copies], rows)]])
