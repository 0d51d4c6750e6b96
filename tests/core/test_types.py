"""The core types, their vocabularies, and the errors' exit codes."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speechnet
from speechnet.core import errors
from speechnet.core.targets import EMOTIONS, GENDERS, VOCABULARY
from speechnet.core.types import (
    POLICY_REASONS,
    REASONS,
    FeatureMatrix,
    FeatureSet,
    Fold,
    Sequences,
    Stack,
    encode,
)

SOURCES = sorted(Path(speechnet.__file__).parent.rglob("*.py"))


def test_a_matrix_is_frozen() -> None:
    """Neither its values nor its fields can be changed."""
    matrix = FeatureMatrix(np.ones((2, 3), np.float32), ("a", "b"), ("x", "y", "z"))
    with pytest.raises(ValueError, match="read-only"):
        matrix.X[0, 0] = 2
    with pytest.raises(AttributeError):
        matrix.index = ()  # type: ignore[misc]


def test_a_matrix_must_fit_its_names() -> None:
    """A row for each file, a column for each name."""
    with pytest.raises(ValueError, match=r"X has shape \(2, 3\), expected \(2, 2\)"):
        FeatureMatrix(np.ones((2, 3), np.float32), ("a", "b"), ("x", "y"))


def test_stacks_follow_their_columns() -> None:
    """Through a join and a choice of rows; a stack that lacks a column is none any more."""
    names = tuple("abcdef")
    layered = FeatureMatrix(
        np.arange(12, dtype=np.float32).reshape(2, 6), ("i", "j"), names, (Stack(0, 3, 2),)
    )
    plain = FeatureMatrix(np.zeros((2, 2), np.float32), ("i", "j"), ("y", "z"))
    joined = FeatureSet({"plain": plain, "layered": layered}).matrix.take(np.array([1]))
    assert joined.stacks == (Stack(2, 3, 2),)
    [stack] = joined.stacks
    np.testing.assert_array_equal(joined.X[0, stack.start : stack.end], layered.X[1])
    assert joined.only(np.arange(1, 8)).stacks == (Stack(1, 3, 2),)
    assert joined.only(np.arange(3, 8)).stacks == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_matrix_is_finite(value: float) -> None:
    """What isn't must have been excluded before."""
    with pytest.raises(ValueError, match="NaN or infinite values; exclude those rows"):
        FeatureMatrix(np.array([[value]], np.float32), ("a",), ("x",))


def test_a_fold_names_its_parts_in_order() -> None:
    """Train, dev, test."""
    fold = Fold(train=np.array([0, 1]), dev=np.array([2]), test=np.array([3]))
    parts = [(name, part.tolist()) for name, part in fold.parts().items()]
    assert parts == [("train", [0, 1]), ("dev", [2]), ("test", [3])]


@given(st.lists(st.sampled_from(["sad", "angry", None, np.nan, pd.NA])))
def test_labels_are_positions(labels: list[object]) -> None:
    """In the classes' own order; whatever is missing is -1."""
    classes = ["sad", "angry"]
    expected = [classes.index(label) if isinstance(label, str) else -1 for label in labels]
    codes = encode(pd.Series(labels, dtype=object), classes)
    assert codes.dtype == np.int64
    assert codes.tolist() == expected


def test_an_unknown_label_is_named() -> None:
    """It never becomes a class or a missing one."""
    with pytest.raises(ValueError, match=r"label 'bored' is not among the classes \['sad'\]"):
        encode(pd.Series(["sad", None, "bored"]), ["sad"])


def test_vocabularies_are_closed_and_disjoint() -> None:
    """Every word once."""
    assert {"gender": GENDERS, "emotion": EMOTIONS} == VOCABULARY
    words = [*GENDERS, *EMOTIONS]
    assert len(set(words)) == len(words)
    assert set(REASONS) >= POLICY_REASONS


def test_every_reason_given_is_a_known_one() -> None:
    """Read from the source: no ``Excluded`` with a code that REASONS doesn't explain."""
    given_reasons = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("Excluded"), args=[ast.Constant(code), *_]):
                    given_reasons.add(code)
    assert given_reasons <= set(REASONS)
    assert len(given_reasons) >= 10


def test_excluded_crosses_a_process_boundary() -> None:
    """With reason and detail; the default would lose the detail."""
    copy = pickle.loads(pickle.dumps(errors.Excluded("silent", "-90 dB")))  # noqa: S301 - own bytes
    assert (copy.reason, copy.detail, str(copy)) == ("silent", "-90 dB", "silent: -90 dB")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SpeechnetError, 1),
        (errors.ConfigError, 2),
        (errors.DataError, 3),
        (errors.Excluded, 3),
        (errors.StorageError, 4),
    ],
)
def test_exit_codes_are_the_documented_ones(error: type[errors.SpeechnetError], code: int) -> None:
    """One tree, one code each."""
    assert issubclass(error, errors.SpeechnetError)
    assert error.exit_code == code


def test_layers_averaged() -> None:
    """Each stack becomes its mean in its place; names lose the number of the layer."""
    X = np.arange(22, dtype=np.float32).reshape(2, 11) ** 2
    names = ["f0", *(f"e_{i}_mean_{j}" for i in (9, 10) for j in range(2)), "f1"]
    names += [f"u{i}" for i in range(4)] + ["f2"]
    found = FeatureMatrix(X, ("a", "b"), tuple(names), (Stack(1, 2, 2), Stack(6, 2, 2))).averaged
    first, second = (X[:, i : i + 2] / 2 + X[:, i + 2 : i + 4] / 2 for i in (1, 6))
    expected = np.concatenate([X[:, :1], first, X[:, 5:6], second, X[:, 10:]], axis=1)
    assert np.array_equal(found.X, expected)
    both = FeatureSet(
        {"e": FeatureMatrix(X[:, 1:5], ("a", "b"), tuple(names[1:5]), (Stack(0, 2, 2),))}
    )
    assert both.encoders() == both.encoders("e") == [("e", ["9", "10"])]
    assert found.names == ("f0", "e_mean_0", "e_mean_1", "f1", "u0", "u1", "f2")
    assert not found.stacks


def test_sequences() -> None:
    """A recording's frames, some recordings in another order, and what does not fit together."""
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    starts = np.array([0, 2, 5])
    found = Sequences(frames, starts, ("a", "b"), ("x", "y"), rate=100.0)
    assert np.array_equal(found.of(1), frames[2:])
    turned = found.take(np.array([1, 0, 1]))
    assert turned.index == ("b", "a", "b")
    assert [len(turned.of(row)) for row in range(3)] == [3, 2, 3]
    assert np.array_equal(turned.of(1), frames[:2])
    assert found.take(np.array([], dtype=np.int64)).frames.shape == (0, 2)
    with pytest.raises(ValueError, match="no frames"):
        Sequences(frames, np.array([0, 5, 5]), ("a", "b"), ("x", "y"), rate=100.0)
    with pytest.raises(ValueError, match=r"found frames \(5, 2\) and 2 recordings, expected"):
        Sequences(frames, np.array([0, 2, 4]), ("a", "b"), ("x", "y"), rate=100.0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        Sequences(frames * np.nan, starts, ("a", "b"), ("x", "y"), rate=100.0)
