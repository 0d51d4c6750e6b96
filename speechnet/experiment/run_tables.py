"""Write and read the tables of a run: no text of a CSV is a formula to a spreadsheet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from speechnet.core.files import storage_errors, write_whole
from speechnet.core.reading import open_regular
from speechnet.core.safe_text import from_cell, to_cell

_TEXT: Final = frozenset(
    [
        *("file", "speaker", "sentence", "fold", "target", "truth", "predicted", "digest"),
        *("model", "class", "gender", "higher", "lower", "first", "second", "name", "variant"),
    ]
)
"""Columns of names, even if they look like numbers."""
_NUMBERS: Final = frozenset(
    [
        *("value", "low", "high", "mean", "sd", "rank", "count", "duration", "confidence", "share"),
        *("difference", "p", "p_holm", "rows", "units", "epoch", "member", "lr", "unconverged"),
        *("accuracy", "risk", "coverage", "recall", "gap", "uar", "baseline", "drop", "k"),
        *("random", "disjoint", "pc1", "pc2", "null_mean", "null_sd", "temperature", "lost"),
        *("alone", "together", "without", "weight", "layer", "severity"),
    ]
)
"""Columns that must hold numbers."""
_OF_TABLE: Final[dict[str, frozenset[str]]] = {
    "audit.csv": frozenset(["count"]),
    "corpus.csv": frozenset(["duration"]),
    "leakage.csv": frozenset(),
    "settings.csv": frozenset(),
}
"""Tables whose other columns of these names may hold text, such as a user's own ``rank``."""


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables by their file names, as CSV or Parquet, each whole or not at all.

    Raises:
        StorageError: no space or no permission.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            write_whole(folder / name, table_bytes(table, parquet=name.endswith(".parquet")))


def table_bytes(table: pd.DataFrame, *, parquet: bool = False) -> bytes:
    """A table as the bytes of a CSV or Parquet file."""
    if parquet:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    return csv_text(table).encode()


def csv_text(table: pd.DataFrame, *, float_format: str | None = None) -> str:
    """A table without its index as a CSV that is safe to open in a spreadsheet."""
    text = {
        str(name): column.astype(object).map(lambda x: to_cell(x) if isinstance(x, str) else x)
        for name, column in table.items()
        if not is_numeric_dtype(column)
    }
    safe = table.assign(**text).rename(columns=lambda name: to_cell(str(name)))
    return safe.to_csv(index=False, lineterminator="\n", float_format=float_format)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV of ``csv_text``: names stay text, and only an empty cell is missing.

    A speaker may be called "01" or "NA", a fold "0" or "all".
    """
    with open_regular(path) as file:
        columns = pd.read_csv(file, nrows=0).columns
        file.seek(0)
        types = {name: str for name in columns if name in _TEXT}
        # Read in chunks, a column of labels such as 1 and x would mix numbers and text.
        table = pd.read_csv(
            file, dtype=types, keep_default_na=False, na_values=[""], low_memory=False
        )
    for name in table.columns.intersection(sorted(_OF_TABLE.get(path.name, _NUMBERS))):
        if len(table) and not is_numeric_dtype(table[name]):
            raise ValueError(f"the column {name} holds text, expected numbers")
    marked = {
        str(name): column.map(
            lambda x: from_cell(x) if isinstance(x, str) else x, na_action="ignore"
        )
        for name, column in table.items()
        if not is_numeric_dtype(column)
        and any(isinstance(x, str) and x.startswith("'") for x in column)
    }
    return table.assign(**marked).rename(columns=from_cell)


def as_read(table: pd.DataFrame) -> pd.DataFrame:
    """A table as ``read_table`` would return it once it is written."""
    read = {}
    for name, column in table.reset_index(drop=True).items():
        values = column
        if not is_numeric_dtype(column):
            values = column.astype(object)
            values = values.where(values.notna() & (values != ""), np.nan)
        text = name in _TEXT
        read[str(name)] = (values.map(str, na_action="ignore") if text else values).infer_objects()
    return pd.DataFrame(read)
