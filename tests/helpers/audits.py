"""The summary of an audit, of which only some parts found anything."""

from typing import Any

import pandas as pd

from speechnet.audit.config import AuditConfig
from speechnet.audit.labels import DISPUTED_COLUMNS
from speechnet.audit.leakage import LEAKAGE_COLUMNS
from speechnet.audit.near_duplicates import PAIR_COLUMNS
from speechnet.audit.recordings import FILE_COLUMNS
from speechnet.audit.summary import summary
from speechnet.core.findings import Finding
from speechnet.core.types import Targets

_PARTS = {
    "files": FILE_COLUMNS,
    "near": PAIR_COLUMNS,
    "leaks": LEAKAGE_COLUMNS,
    "dispute": DISPUTED_COLUMNS,
}


def summarised(table: pd.DataFrame, targets: Targets, **parts: Any) -> list[Finding]:
    """The findings of a table; parts that are not given found nothing."""
    nothing = {name: pd.DataFrame(columns=[*columns]) for name, columns in _PARTS.items()}
    return summary(table, targets, **{"config": AuditConfig()} | nothing | parts)
