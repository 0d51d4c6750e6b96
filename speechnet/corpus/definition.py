"""What a corpus's files are called and what its codes mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from speechnet.core.types import VOCABULARY
from speechnet.corpus.discovery import without_ending

_IN_BRACES = re.compile(r"\{([^{}]+)\}")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


def canonical(code: str) -> str:
    """A code as its table has it: ``" 1 "`` and ``"1.0"`` are both ``"1"``."""
    whole = _WHOLE_NUMBER.fullmatch(code.strip())
    return whole[1] if whole else code.strip()


@dataclass(frozen=True)
class Field:
    """Where a column of the corpus table comes from.

    Attributes:
        group: a named group of the definition's pattern.
        column: a column of the CSV, or several in braces: ``dia{Dialogue_ID}_utt{Utterance_ID}``.
        value: the same text for every row.
        pattern: takes a part of ``column``: the group named like the field.
        map: code -> label; other codes stay as they are.
        optional: the column may be absent.
    """

    group: str | None = None
    column: str | None = None
    value: str | None = None
    pattern: re.Pattern[str] | None = None
    map: dict[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns of the CSV that it is made of."""
        return _IN_BRACES.findall(self.column or "") or [self.column or ""]

    def cell(self, row: Mapping[str, str | None]) -> str | None:
        """What a row of the CSV says; of several columns nothing unless each says something."""
        if not _IN_BRACES.search(self.column or ""):
            return row.get(self.column or "")
        cells = {name: row.get(name) for name in self.columns}
        if not all(cells.values()):
            return None
        return _IN_BRACES.sub(lambda found: canonical(str(cells[found[1]])), self.column or "")

    def label(self, name: str, code: str | None) -> str | None:
        """Translate one code.

        Args:
            name: the field's own name.
            code: what the name or the row holds; None or empty if nothing.

        Returns:
            The label, or None if there is none.
        """
        if self.value is not None:
            return self.value
        if code and self.pattern:
            match = self.pattern.search(code)
            code = match[name] if match else None
        if not code or not (code := canonical(code)):
            return None
        if code in self.map:
            return self.map[code]
        # Case is ignored where nothing else tells two codes apart; labels stand for themselves.
        known = {label: label for label in VOCABULARY.get(name, ())} | self.map
        near = {known[key] for key in known if key.casefold() == code.casefold()}
        return near.pop() if len(near) == 1 else code


@dataclass(frozen=True)
class Definition:
    """A corpus's naming rule and code tables.

    Attributes:
        name: what the corpus is called here.
        title: its full name.
        source: the citation, and where the rule is published.
        licence: under which terms the recordings may be used.
        kind: ``files`` or ``manifest``.
        fields: column of the corpus table -> where it comes from.
        example: a name, or for a manifest a row written out.
        pattern: matches the whole name without its ending (``files``).
        match_path: the pattern sees the path relative to the root, not just the name (``files``).
        table: the CSV's path relative to the root (``manifest``).
    """

    name: str
    title: str
    source: str
    licence: str
    kind: str
    fields: dict[str, Field]
    example: str
    pattern: re.Pattern[str] = re.compile("")
    match_path: bool = False
    table: str = ""

    def labels_of_name(self, file: str) -> dict[str, str | None] | None:
        """The labels in a file's id, or None if it isn't named by this rule."""
        path = without_ending(file)
        match = self.pattern.fullmatch(path if self.match_path else path.rsplit("/", 1)[-1])
        if match is None:
            return None
        return {
            name: field.label(name, match[field.group] if field.group else None)
            for name, field in self.fields.items()
        }
