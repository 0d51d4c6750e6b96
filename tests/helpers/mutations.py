"""Ways to damage bytes and texts, each drawn at random."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

Rng = np.random.Generator

SIZE = float(os.environ.get("SPEECHNET_RELIABILITY", "0.2"))
"""1 takes three minutes on two cores; ``make test`` does what the default is of it."""


def times(count: int) -> int:
    """So many at size 1, and at least one."""
    return max(1, round(count * SIZE))


def _flip(data: bytearray, rng: Rng) -> None:
    for _ in range(rng.integers(1, 9)):
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))


def _cut(data: bytearray, rng: Rng) -> None:
    del data[rng.integers(len(data)) :]


def _header(data: bytearray, rng: Rng) -> None:
    """Any four of the first bytes become a number that programs stumble over."""
    at = int(rng.integers(min(64, len(data))))
    number = int(rng.choice([0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1]))
    data[at : at + 4] = number.to_bytes(4, rng.choice(["little", "big"]))


def _repeat(data: bytearray, rng: Rng) -> None:
    at, length = rng.integers(len(data)), rng.integers(1, 1 + len(data) // 2)
    data[at:at] = data[at : at + length] * int(rng.integers(1, 4))


def _noise(data: bytearray, rng: Rng) -> None:
    at = rng.integers(len(data))
    data[at : at + 64] = rng.bytes(64)


_OF_BYTES: Sequence[Callable[[bytearray, Rng], None]] = (_flip, _cut, _header, _repeat, _noise)

_WORDS = (
    *("", "null", "-1", "0", "1e400", ".nan", ".inf", "9" * 5_000, "true", "[]", "{}", "[[[[", "~"),
    *("!!python/object/apply:os.system [x]", "&a [*a]", "*a", "<<: *a", "\t", "\x00", "\x1b[31m"),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "=cmd|' /C calc'!A0",
        '"',
        "'",
        "\u202e",
        "😀",
        "\ufeff",
        ",",
    ),
)


def damaged(data: bytes, rng: Rng) -> bytes:
    """Bytes with one to three faults."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if found:
            rng.choice(np.array(_OF_BYTES, dtype=object))(found, rng)
    return bytes(found)


def rewritten(text: str, rng: Rng) -> str:
    """A text with words of another kind, and lines gone, doubled or moved."""
    lines = text.split("\n")
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(lines)))
        word = str(rng.choice(np.array(_WORDS, dtype=object)))
        match int(rng.integers(6)):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, lines[int(rng.integers(len(lines)))])
            case 2:
                key = lines[at].partition(":")[0]
                lines[at] = f"{key}: {word}"
            case 3:
                lines[at] = lines[at].replace(" ", word, 1)
            case 4:
                middle = int(rng.integers(len(lines[at]) + 1))
                lines[at] = lines[at][:middle] + word + lines[at][middle:]
            case _:
                lines[at] = lines[at][::-1]
    return "\n".join(lines)


def replaced(value: object, rng: Rng) -> object:
    """A JSON's values of which one, anywhere, is another."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = str(rng.choice(list(value)))
        if rng.random() < 0.1:
            return {other: inner for other, inner in value.items() if other != key}
        return value | {key: replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = int(rng.integers(len(value)))
        return [*value[:at], replaced(value[at], rng), *value[at + 1 :]]
    others: list[object] = [
        *(None, True, 0, -1, 2**40, -1.5, 1e308, float("nan"), "", "x", "../../x", "\x1b[2J", "/"),
        *([], {}, [None], {"a": None}, ["x"] * 3, [[[[1]]]], {"x": {"x": {}}}, "NaN", "9" * 400),
    ]
    return others[int(rng.integers(len(others)))]
