"""Untrusted text, such as labels and names of files, made safe for terminals and tables."""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1, among them ESC and CSI; tab and line end may stay
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what follows
    "\u2028\u2029\ud800-\udfff]"  # other line ends; bytes that were no UTF-8
)

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # noqa: RUF001 - full width ones count too
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def visible(text: str) -> str:
    r"""Escape what would control a terminal, such as ``\x1b``; line ends and tabs stay."""
    return _STEERING.sub(lambda found: _escape(found[0]), text)


def printable(path: str) -> str:
    r"""Make a path printable on one line, so that no two paths become the same text.

    Bytes that are no UTF-8 become ``\xNN``, unprintable characters ``\xNN`` or ``\uNNNN``, a
    backslash two backslashes.
    """
    shown = path.replace("\\", "\\\\")
    return "".join(c if c.isprintable() else _escape(c) for c in shown)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that os.fsdecode could not decode
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def to_cell(text: str) -> str:
    """Text for a CSV that no spreadsheet takes for a formula; ``from_cell`` undoes it.

    An apostrophe goes before what begins like a formula, as OWASP advises ("CSV Injection");
    numbers stay as they are.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def from_cell(text: str) -> str:
    """The text that was given to ``to_cell``."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
