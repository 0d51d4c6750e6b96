"""The whole audit of a corpus and its folds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from speechnet.audit.bandwidth import bands, mixed
from speechnet.audit.composition import classes_by_gender_by_speaker
from speechnet.audit.config import AuditConfig
from speechnet.audit.labels import disputed
from speechnet.audit.leakage import leakage
from speechnet.audit.near_duplicates import PAIR_COLUMNS, find
from speechnet.audit.recordings import examine
from speechnet.audit.summary import BANDWIDTH, summary
from speechnet.core.findings import Finding
from speechnet.core.types import FeatureMatrix, Fold, Targets


@dataclass(frozen=True)
class Audit:
    """What the audit found.

    Attributes:
        findings: the worst first: ``audit.csv``.
        files: ``file, fault, value, detail``: ``audit_files.csv``.
        near_duplicates: ``first, second, distance, threshold``: ``near_duplicates.csv``.
        leakage: ``fold, kind, value, train, test, tested``: ``leakage.csv``.
        disputed: ``first, second, copy, column, label, other``: copies with different labels.
        composition: ``target, class, gender, speaker, count``.
    """

    findings: list[Finding]
    files: pd.DataFrame
    near_duplicates: pd.DataFrame
    leakage: pd.DataFrame
    disputed: pd.DataFrame
    composition: pd.DataFrame


def run_audit(
    table: pd.DataFrame,
    targets: Targets,
    folds: list[Fold],
    *,
    matrix: FeatureMatrix,
    statistics: pd.DataFrame,
    excluded: pd.DataFrame,
    config: AuditConfig,
    highest: float = math.inf,
    labels: pd.DataFrame | None = None,
) -> Audit:
    """Audit a corpus whose features are computed.

    Args:
        table: the corpus table, one row for each recording that is used.
        targets: each target with its classes.
        folds: positions in ``table``.
        matrix: features of those recordings, in any order. Without columns there is no search for
            near-copies.
        statistics: index ``file``; see ``speechnet.audio.signal_statistics``.
        excluded: columns ``file, reason, detail``.
        config: thresholds.
        highest: the highest frequency in Hz that the features use.
        labels: the corpus table before anything was excluded, to compare excluded copies with
            their originals; None if unknown.
    """
    files = examine(statistics, excluded, config)
    near = pd.DataFrame(columns=[*PAIR_COLUMNS])
    if config.near_duplicates and matrix.names:
        near = find(matrix, config)
    digests, bandwidth = statistics["digest"], statistics["bandwidth"].reindex(table.index)
    leaks = leakage(table, folds, digests=digests, near=near)
    known = table if labels is None else labels
    dispute = disputed(known, targets, digests=digests, excluded=excluded, near=near)
    found = summary(
        table.assign(**{BANDWIDTH: bands(bandwidth, highest)}),
        targets,
        files=files,
        near=near,
        leaks=leaks,
        dispute=dispute,
        mixture=mixed(bandwidth, highest),
        config=config,
    )
    composition = classes_by_gender_by_speaker(table, targets)
    return Audit(found, files, near, leaks, dispute, composition)
