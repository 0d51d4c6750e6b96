"""The tables of a run as bytes and back: a CSV is text that no spreadsheet takes for a formula."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from speechnet.core.reading import open_regular
from speechnet.core.safe_text import from_cell, to_cell

_TEXT: Final = frozenset(
    [
        *("file", "speaker", "sentence", "fold", "target", "truth", "predicted", "digest"),
        *("model", "class", "gender", "higher", "lower", "first", "second", "name", "variant"),
    ]
)
"""Columns of names, which may look like numbers."""
_NUMBERS: Final = frozenset(
    [
        *("value", "low", "high", "mean", "sd", "rank", "count", "duration", "confidence", "share"),
        *("difference", "p", "p_holm", "rows", "units", "epoch", "member", "lr", "unconverged"),
    ]
)
"""Columns that are reckoned with."""
_OF_TABLE: Final[dict[str, frozenset[str]]] = {
    "corpus.csv": frozenset(["duration"]),
    "leakage.csv": frozenset(),
    "settings.csv": frozenset(),
}
"""Of tables where others of these names may hold text, such as a user's own column ``rank``."""


def table_bytes(table: pd.DataFrame, *, parquet: bool = False) -> bytes:
    """A table as the bytes of a CSV or Parquet file."""
    if parquet:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    return csv_text(table).encode()


def csv_text(table: pd.DataFrame, *, float_format: str | None = None) -> str:
    """A table as a CSV that spreadsheets may open: no text in it is a formula.

    Args:
        table: any; its index is left out.
        float_format: of printf's kind.
    """
    text = {
        str(name): column.astype(object).map(_to_cell)
        for name, column in table.items()
        if not is_numeric_dtype(column)
    }
    safe = table.assign(**text).rename(columns=lambda name: to_cell(str(name)))
    return safe.to_csv(index=False, lineterminator="\n", float_format=float_format)


def _to_cell(cell: object) -> object:
    return to_cell(cell) if isinstance(cell, str) else cell


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV as ``csv_text`` wrote it: names stay text, only an empty cell is missing.

    A speaker may be called "01" or "NA"; a fold "0" or "all".
    """
    with open_regular(path) as file:
        columns = pd.read_csv(file, nrows=0).columns
        file.seek(0)
        types = {name: str for name in columns if name in _TEXT}
        # In pieces a column of labels such as 1 and x would come out as numbers here, text there.
        table = pd.read_csv(
            file, dtype=types, keep_default_na=False, na_values=[""], low_memory=False
        )
    for name in table.columns.intersection(sorted(_OF_TABLE.get(path.name, _NUMBERS))):
        if len(table) and not is_numeric_dtype(table[name]):
            raise ValueError(f"the column {name} holds text, expected numbers")
    marked = {
        str(name): column.map(_from_cell, na_action="ignore")
        for name, column in table.items()
        if not is_numeric_dtype(column) and any(map(_is_marked, column))
    }
    return table.assign(**marked).rename(columns=from_cell)


def as_read(table: pd.DataFrame) -> pd.DataFrame:
    """A table as ``read_table`` gives it back once it is written."""
    read = {}
    for name, column in table.reset_index(drop=True).items():
        values = column
        if not is_numeric_dtype(column):
            values = column.astype(object)
            values = values.where(values.notna() & (values != ""), np.nan)
        text = name in _TEXT
        read[str(name)] = (values.map(str, na_action="ignore") if text else values).infer_objects()
    return pd.DataFrame(read)


def _from_cell(cell: object) -> object:
    return from_cell(cell) if isinstance(cell, str) else cell


def _is_marked(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith("'")
