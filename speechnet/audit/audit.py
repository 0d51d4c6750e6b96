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
    """What was found.

    Attributes:
        findings: the worst first: ``audit.csv``.
        files: ``file, fault, value, detail``: ``audit_files.csv``.
        near_duplicates: ``first, second, distance, threshold``: ``near_duplicates.csv``.
        leakage: ``fold, kind, value, train, test, tested``: ``leakage.csv``.
        disputed: ``first, second, copy, column, label, other``: copies that are labelled
            differently.
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
        matrix: features of those recordings; its index is the table's, in any order. Without
            columns no near-copies are looked for.
        statistics: index ``file``; see ``speechnet.audio.signal_statistics``.
        excluded: columns ``file, reason, detail``.
        config: thresholds.
        highest: the highest frequency in Hz that the features look at.
        labels: the corpus table before anything was excluded, to compare excluded copies with
            their originals; None if unknown.
    """
    files = examine(statistics, excluded, config)
    near = pd.DataFrame(columns=[*PAIR_COLUMNS])
    if config.near_duplicates and matrix.names:
        near = find(matrix, config)
    leaks = leakage(table, folds, digests=statistics["digest"], near=near)
    dispute = disputed(
        table if labels is None else labels,
        targets,
        digests=statistics["digest"],
        excluded=excluded,
        near=near,
    )
    bandwidth = statistics["bandwidth"].reindex(table.index)
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
    return Audit(
        findings=found,
        files=files,
        near_duplicates=near,
        leakage=leaks,
        disputed=dispute,
        composition=classes_by_gender_by_speaker(table, targets),
    )
