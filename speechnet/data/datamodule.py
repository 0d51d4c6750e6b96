"""Corpus, features and folds in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property

import numpy as np
import pandas as pd

from speechnet.augment.config import Copy
from speechnet.config.data import DataConfig, check_names
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.files import storage_errors
from speechnet.core.progress import Progress, silent
from speechnet.core.targets import refuse_continuous
from speechnet.core.types import (
    POLICY_REASONS,
    FeatureMatrix,
    FeatureSet,
    Float32,
    Fold,
    Int64,
    Targets,
    encode_all,
)
from speechnet.core.wording import counted, plural
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import load_definition
from speechnet.corpus.reader import Corpus, load_corpus
from speechnet.corpus.synthetic.corpus import write_corpus
from speechnet.corpus.synthetic.synthesis import VERSION
from speechnet.corpus.union import CORPUS, check_left_out, load_corpora
from speechnet.data.augmented import Copies, TrainingSource, hashed_noises
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.speaker_norm import by_speaker
from speechnet.features.extraction.store import fingerprint
from speechnet.splits.folds import make_folds


class SpeechDataModule:
    """Orchestrates corpus, features and folds; no signal processing of its own.

    ``prepare_data`` reads the corpus and computes or looks up the features, ``setup`` makes the
    folds; nothing is done twice.

    Args:
        config: the configuration's ``data``.
        seed: of every shuffle.
        progress: shows how many files are done.

    Attributes:
        corpus: its table, and the recordings that were excluded.
        extraction: the features, the statistics and what was excluded.
        folds: positions into ``table``.
    """

    corpus: Corpus
    extraction: Extraction
    folds: list[Fold]

    def __init__(self, config: DataConfig, *, seed: int, progress: Progress = silent) -> None:
        self.config = config
        self.seed = seed
        self._progress = progress

    def prepare_data(self) -> None:
        """Corpus, audio, denoise, features.

        Raises:
            DataError: the corpus can't be read, or too many of its files can't.
        """
        self.load_corpus()
        self.extract()
        self.check_share()

    def load_corpus(self, *, complete: bool = True) -> None:
        """Read the corpus table; does nothing the second time.

        Args:
            complete: whether every listed class must have rows; false for rows only to be scored.
        """
        if hasattr(self, "corpus"):
            return
        config = self.config
        if config.corpora:
            corpora = [self._rooted(one) for one in config.corpora]
            self.corpus = load_corpora(corpora, config.targets, complete=complete)
            if (config.split.protocol, config.split.column) == ("predefined", CORPUS):
                check_left_out(self.corpus.table, self.corpus.targets)
        else:
            one = self._rooted(config.corpus)
            self.corpus = load_corpus(one, config.targets, complete=complete)
        check_names(self.corpus.targets)
        if complete:
            self._check_column()

    def _check_column(self) -> None:
        """Refuse a column of official parts that the table lacks, or has under our own name."""
        config, columns = self.config, list(map(str, self.corpus.table.columns))
        column = config.split.column
        if config.split.protocol != "predefined" or column is None or column in columns:
            return
        known: dict[str, str | None] = {}
        if not config.corpora:
            fields = load_definition(config.corpus.name).fields
            known = {name: field.column for name, field in fields.items()}
            known.update(config.corpus.columns)
        ours = next((name for name, theirs in known.items() if theirs == column), None)
        if ours in columns:
            fault = f"{column!r} of the table is read as {ours!r}; set --data.split.column {ours}"
        else:
            fault = f"the corpus has no column {column!r}; it has {', '.join(columns)}"
        raise ConfigError(f"data.split.column: {fault}")

    def _rooted(self, corpus: CorpusConfig) -> CorpusConfig:
        """The corpus with its folder; the synthetic one is written to the cache if need be."""
        if corpus.name != "synthetic" or corpus.root is not None:
            return corpus
        config = self.config.synthetic
        folder = self.config.cache / "synthetic" / fingerprint(asdict(config) | {"code": VERSION})
        total = config.speakers * config.sentences * 4
        with storage_errors(folder), self._progress("synthesising speech", total) as advance:
            write_corpus(folder, config, on_file=lambda: advance(1, 0.0))
        return replace(corpus, root=str(folder))

    def extract(self, *, at_any_rate: bool = False) -> None:
        """Compute or look up the features; does nothing the second time.

        Args:
            at_any_rate: compute features even where ``check_share`` will refuse what is already
                known to be faulty.
        """
        if not hasattr(self, "extraction"):
            self.extraction = extract_features(
                self.corpus.root,
                self.corpus.table,
                self.config.recipe,
                cache_dir=self.config.cache,
                device=self.config.device,
                verify=self.config.verify,
                give_up=None if at_any_rate else self._hopeless,
                progress=self._progress,
            )

    def _hopeless(self, excluded: Mapping[str, Excluded]) -> bool:
        known = [*self.corpus.excluded["reason"], *(why.reason for why in excluded.values())]
        return self._too_many(sum(reason not in POLICY_REASONS for reason in known))

    def _too_many(self, bad: int) -> bool:
        return bad / self._total > self.config.max_bad_share

    @property
    def _total(self) -> int:
        return len(self.corpus.table) + len(self.corpus.excluded)

    def check_share(self) -> None:
        """Refuse a corpus too much of which can't be used.

        Raises:
            DataError: more than ``max_bad_share`` of the recordings are faulty, or none is left.
        """
        bad = self.excluded[~self.excluded["reason"].isin(POLICY_REASONS)]
        total = self._total
        if self._too_many(len(bad)):
            raise DataError(
                f"{len(bad):,} of {counted(total, 'recording')} can't be used, more than "
                "data.max_bad_share = "
                f"{self.config.max_bad_share:g} allows: {_counted(bad)}. The first: {_first(bad)}"
            )
        if not self.extraction.index:
            raise DataError(
                f"{plural(total, 'the recording is', f'all {total:,} recordings are')} excluded: "
                f"{_counted(self.excluded)}. "
                f"The first: {_first(self.excluded)}"
            )

    def setup(self) -> None:
        """Folds of the recordings that are left; does nothing the second time."""
        if not hasattr(self, "folds"):
            self.folds = self.divide(self.table)

    def divide(self, table: pd.DataFrame) -> list[Fold]:
        """The protocol's folds of a corpus table; see ``speechnet.splits.folds.make_folds``."""
        config = self.config
        named = config.corpus.name if not config.corpora else self.corpus.name
        return make_folds(table, self.targets, config.split, seed=self.seed, corpus=named)

    @property
    def targets(self) -> Targets:
        """Each target's ordered classes.

        Raises:
            ConfigError: a target is continuous.
        """
        refuse_continuous(self.corpus.scales)
        return self.corpus.targets

    @property
    def matrix(self) -> FeatureMatrix:
        """All vectors joined, one row for each of ``table``; no columns where there are none."""
        return self.extraction.features.matrix

    @property
    def groups(self) -> dict[str, Int64]:
        """Positions of the columns of ``matrix`` by group, such as all of ``mfcc``."""
        groups = np.array(self.config.recipe.groups)
        return {name: np.flatnonzero(groups == name) for name in dict.fromkeys(groups.tolist())}

    @cached_property
    def feature_set(self) -> FeatureSet:
        """The features of ``table``, standardised by speaker where the configuration says so."""
        found = self.extraction.features
        if not self.config.per_speaker:
            return found
        return by_speaker(found, list(self.table["speaker"]))

    @cached_property
    def copies(self) -> Copies | None:
        """Changed copies of the recordings that some fold trains on; None where none are wanted.

        Raises:
            ConfigError: a noise can't be used; see ``hashed_noises``.
            DataError: none of the copies can be used.
        """
        config = self.config
        if not config.augment.copies:
            return None
        paths = self.corpus.table["path"].unique().tolist()
        noises = hashed_noises(config, self.corpus.root, paths, self._progress)
        rows = np.unique(np.concatenate([fold.train for fold in self.folds]))
        place = {file: int(row) for file, row in zip(self.table.index[rows], rows, strict=True)}
        found = [
            self.changed(rows, Copy(config.augment, number, noises))
            for number in range(config.augment.copies)
        ]
        origin = [place[file] for one in found for file in one.index]
        why = _first(pd.concat([one.excluded for one in found]), 1)
        if not origin:
            raise DataError(f"no changed copy can be used (data.augment). The first: {why}")
        return Copies(
            FeatureSet.stacked([one.features for one in found]),
            np.array(origin, dtype=np.int64),
            failed=len(found) * len(rows) - len(origin),
            why=why,
            computed=sum(one.computed for one in found),
        )

    def changed(self, rows: Int64, copy: Copy) -> Extraction:
        """Compute or look up the features of changed copies of some recordings of ``table``."""
        return extract_features(
            self.corpus.root,
            self.table.iloc[rows],
            replace(self.config.recipe, copy=copy),
            cache_dir=self.config.cache,
            device=self.config.device,
            keep_duplicates=True,
            progress=self._progress,
        )

    @cached_property
    def training(self) -> TrainingSource:
        """What models are fitted on: the rows of ``table``, and behind them the copies.

        Standardised by speaker, a copy is so by the statistics of its speaker's recordings, as a
        test recording is by those of its own: what was done to it remains to be seen.
        """
        n = len(self.table)
        if self.copies is None:
            return TrainingSource(self.feature_set, self.labels, np.arange(n))
        origin = np.concatenate([np.arange(n), self.copies.origin])
        found = FeatureSet.stacked([self.extraction.features, self.copies.features])
        if self.config.per_speaker:
            speakers = self.table["speaker"].to_numpy(dtype=object)[origin]
            found = by_speaker(found, list(speakers), first=n)
        return TrainingSource(found, self.labels[origin], origin)

    @property
    def X(self) -> Float32:  # noqa: N802 - the field's name for it
        """All vectors joined, float32 ``[n, d]``; see ``feature_set``."""
        return self.feature_set.matrix.X

    @cached_property
    def table(self) -> pd.DataFrame:
        """The corpus table of the usable recordings, ``n`` rows."""
        return self.corpus.table.loc[list(self.extraction.index)]

    @cached_property
    def labels(self) -> Int64:
        """int64 ``[n, targets]``, positions in the classes, -1 where there is no label."""
        return encode_all(self.table, self.targets)

    @property
    def excluded(self) -> pd.DataFrame:
        """All that can't be used: columns file, reason, detail."""
        return pd.concat([self.corpus.excluded, self.extraction.excluded], ignore_index=True)

    def fingerprint(self) -> str:
        """A hash of the samples, speakers and labels; file names and their order play no part."""
        labels = self.table[["speaker", *self.targets]].astype(object).fillna("")
        rows = zip(self.extraction.statistics["digest"], labels.to_numpy().tolist(), strict=True)
        return fingerprint({"rows": sorted([digest, *row] for digest, row in rows)})


def _counted(excluded: pd.DataFrame) -> str:
    return ", ".join(f"{n} {why}" for why, n in excluded["reason"].value_counts().items())


def _first(excluded: pd.DataFrame, count: int = 3) -> str:
    return "; ".join(f"{row.file}: {row.detail}" for row in excluded.head(count).itertuples())
