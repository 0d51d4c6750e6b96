"""Text from strangers."""

from hypothesis import given
from hypothesis import strategies as st

from speechnet.core.safe_text import from_cell, to_cell, visible


@given(st.text())
def test_cells_come_back(text: str) -> None:
    """Whatever is written to a table is read from it again, and no formula is written."""
    cell = to_cell(text)
    assert from_cell(cell) == text
    assert not cell.startswith(("=", "@", "\t", "\r", "\uff1d"))


def test_formulas_and_numbers() -> None:
    """What a spreadsheet would run is marked; numbers, names and labels are as they were."""
    for text in ("=cmd|'/c calc'!A1", "@SUM(A1)", "+49 30", "-x.wav", "'=1", "\t=1"):
        assert to_cell(text) == f"'{text}"
    for text in ("-0.5", "+3", "-1e-3", ".5", "angry", "s01", "'tis", "a=b", ""):
        assert to_cell(text) == text


@given(st.text())
def test_nothing_steers_a_terminal(text: str) -> None:
    """No control character is left but line ends and tabs; the rest stays readable."""
    shown = visible(text)
    assert not any((c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" for c in shown)
    assert visible(shown) == shown


def test_what_is_shown() -> None:
    """Escapes for what steers; all scripts as they are."""
    assert visible("\x1b[31mred\x9b\u202e\udce9") == r"\x1b[31mred\u009b\u202e\xe9"
    for text in ("日本 语", "می\u200cخوش", "naïve\u00a0é", "😀", "a\tb\nc"):
        assert visible(text) == text
