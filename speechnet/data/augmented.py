"""Changed copies of training recordings, and the rows that models are fitted on with them.

Rows are positions in the corpus table's ``n`` usable recordings. Behind these, at ``n`` and above,
stand the copies, each with the speaker and labels of its ``origin``. Nothing but training ever
asks for them: dev and test parts, audits and scores are positions below ``n``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechnet.augment.config import AugmentConfig, Noise
from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.progress import Progress
from speechnet.core.types import FeatureSet, Int64
from speechnet.corpus.discovery import NO_AUDIO, discover, is_foreign
from speechnet.features.extraction.file_hashes import FileHashes


def noise_files(augment: AugmentConfig) -> tuple[Path, list[str]]:
    """The folder of noises, and the recordings in it; no recordings where none is named.

    Raises:
        ConfigError: there is no such folder, or no recording in it.
    """
    folder = augment.noise.folder
    if not augment.copies or folder is None or "noise" not in augment.effects:
        return Path(), []
    root = Path(folder).expanduser()
    found = [*discover(root.resolve()).files.values()] if root.is_dir() else []
    if not (readable := [path for path in found if not is_foreign(path)]):
        what = f"there are {NO_AUDIO}" if root.is_dir() else "there is no such folder"
        raise ConfigError(f"data.augment.noise.folder is {folder!r:.200}, but {what}")
    return root.resolve(), readable


def hashed_noises(augment: AugmentConfig, cache: Path, progress: Progress) -> tuple[Noise, ...]:
    """The recordings of ``noise_files`` in the order of their digests, those that can be read.

    Raises:
        ConfigError: see ``noise_files``.
    """
    root, files = noise_files(augment)
    if not files:
        return ()
    hashes = FileHashes(root, cache_dir=cache, progress=progress)
    contents = hashes.of(files)
    hashes.keep()
    found = {
        content.digest: Noise(content.digest, str(root / path))
        for path, content in contents.items()
        if not isinstance(content, Excluded)
    }
    return tuple(found[digest] for digest in sorted(found))


@dataclass(frozen=True)
class Copies:
    """Changed copies of recordings.

    Attributes:
        features: of the ``m`` copies, raw.
        origin: the positions of their recordings in the table, int64 ``[m]``.
        failed: how many more were asked for, and can't be used.
        computed: how many were computed; the others came from the cache.
    """

    features: FeatureSet
    origin: Int64
    failed: int = 0
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
