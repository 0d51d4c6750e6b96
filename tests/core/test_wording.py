"""Turns of phrase that messages share."""

from speechnet.core.wording import all_of, counted, listing


def test_one_is_no_plural() -> None:
    """Of one the noun is as it is; thousands have commas."""
    assert [counted(n, "recording") for n in (0, 1, 2, 1440)] == [
        *("0 recordings", "1 recording", "2 recordings", "1,440 recordings")
    ]
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


def test_a_long_list_is_cut() -> None:
    """The first ones, and how many more there are."""
    assert listing("abc", 3) == "a, b, c"
    assert listing("abcd", 3) == "a, b, c and 1 more"


def test_several_as_one() -> None:
    """As a sentence names its subject."""
    assert [all_of(range(n)) for n in (1, 2, 3)] == ["0", "0 and 1", "0, 1 and 2"]
