"""Kinds of target: what ``data.targets`` may say, what is read for it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speechnet.config.data import check_names
from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.targets import Categorical, Continuous, parse_targets, refuse_continuous
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.reader import load_corpus
from speechnet.corpus.union import load_corpora
from speechnet.experiment.audit import audit
from speechnet.experiment.fit import fit

AROUSAL = {"kind": "continuous", "range": [1, 5], "unit": "points"}


def test_what_a_target_may_be() -> None:
    """A list of classes, null, or a scale."""
    found = parse_targets({"gender": ["female", "male"], "emotion": None, "arousal": AROUSAL})
    assert found == {
        "gender": Categorical(["female", "male"]),
        "emotion": Categorical(),
        "arousal": Continuous("continuous", (1, 5), "points"),
    }
    assert [target.kind for target in found.values()] == ["categorical"] * 2 + ["continuous"]
    assert str(found["arousal"]) == "1 to 5 points"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rang": [1, 5]}, "unknown key 'rang'; the nearest known one is 'range'"),
        ({"kind": "ordinal"}, "kind is 'ordinal', expected continuous"),
        ({"range": [5, 1]}, "range is [5.0, 1.0], expected two numbers, the lower one first"),
        ({"range": [1, 1]}, "range is [1.0, 1.0], expected two numbers"),
        ({"range": [1]}, "range is [1.0], expected two numbers"),
        ({"range": [1, float("inf")]}, "range[1] is inf, expected a number"),
        ({"range": [1, "high"]}, "range[1] is 'high', expected a number"),
        ({"range": 5}, "range is 5, expected a list [number, ...]"),
        ({"unit": 3}, "unit is 3, expected text"),
    ],
)
def test_a_wrong_scale(change: dict[str, object], message: str) -> None:
    """What is wrong with it, and with which target."""
    with pytest.raises(ConfigError) as error:
        parse_targets({"arousal": {**AROUSAL, **change}})
    assert message in str(error.value)
    assert "data.targets.arousal" in str(error.value)


def test_columns_of_a_continuous_target() -> None:
    """It has one column in a table of answers; another target's class may not be called so."""
    check_names({"arousal": AROUSAL, "emotion": ["sad"]})
    with pytest.raises(ConfigError, match="class b of a would have the column 'a_b'"):
        check_names({"a_b": AROUSAL, "a": ["b", "c"]})
    with pytest.raises(ConfigError, match="'duration' is a signal statistic"):
        check_names({"duration": AROUSAL})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.wav").touch()
    return tmp_path


def write(folder: Path, *values: str) -> CorpusConfig:
    rows = [f"{n}.wav\t{v}\tsad" for n, v in zip("abcd", values, strict=True)]
    text = "\n".join(["file\tarousal\temotion", *rows, ""])
    (folder / "labels.csv").write_text(text)
    return CorpusConfig("csv", str(folder))


@pytest.mark.parametrize("others", [{}, {"emotion": None}])
def test_values_are_read(folder: Path, others: dict[str, None]) -> None:
    """As float64, with NaN where a cell says nothing; of one corpus as of several."""
    config = write(folder, "1", "2,5", "NA", "5.0")
    for corpus in (
        load_corpus(config, {"arousal": AROUSAL, **others}),
        load_corpora([config], {"arousal": AROUSAL, **others}),
    ):
        values = corpus.table["arousal"]
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, [1, 2.5, np.nan, 5])
        assert corpus.scales == {"arousal": Continuous("continuous", (1, 5), "points")}
        assert corpus.targets == {name: ["sad"] for name in others}


def test_values_off_the_scale(folder: Path) -> None:
    """Each is named with its recording and its line."""
    config = write(folder, "0.9", "high", "3", "inf")
    with pytest.raises(DataError) as error:
        load_corpus(config, {"arousal": AROUSAL})
    said = str(error.value)
    assert "expected numbers from 1 to 5 points" in said
    for cell, recording, line in (("0.9", "a", 2), ("high", "b", 3), ("inf", "d", 5)):
        assert f"'{cell}' ({recording}.wav, line {line})" in said
    with pytest.raises(ConfigError, match=r"no column 'valence'; it has"):
        load_corpus(config, {"valence": AROUSAL})


def test_no_model_can_do_it() -> None:
    """The models that can't are named; without a continuous target nothing is said."""
    scale = {"arousal": Continuous("continuous", (1, 5))}
    kinds = {"svm": ("categorical",), "theirs": ("categorical", "continuous")}
    refuse_continuous({}, kinds)
    with pytest.raises(ConfigError, match=r"arousal is continuous: no model here can do it yet$"):
        refuse_continuous(scale)
    with pytest.raises(ConfigError, match=r"yet \(categorical targets only: svm\)$"):
        refuse_continuous(scale, kinds)


def test_all_missing() -> None:
    """A column without a value is all NaN."""
    values = Continuous("continuous", (0, 1)).encode("x", [None, np.nan], ["a", "b"])
    np.testing.assert_array_equal(values, [np.nan, np.nan])


@pytest.mark.parametrize("command", [fit, lambda config, _: audit(config)])
def test_an_experiment_is_refused_before_anything_is_computed(
    folder: Path, tmp_path: Path, command: Callable[[ExperimentConfig, str], Path]
) -> None:
    """The recordings here are empty: none of them was decoded."""
    write(folder, "1", "2", "3", "4")
    setting = "{arousal: {kind: continuous, range: [1, 5]}, emotion: null}"
    given = [
        "--data.corpus.name",
        "csv",
        "--data.corpus.root",
        str(folder),
        "--models",
        "{knn: {}}",
    ]
    given += ["--data.targets", setting, "--out", str(tmp_path / "runs")]
    with pytest.raises(ConfigError) as error:
        command(*read_experiment(given))
    assert "arousal is continuous: no model here can do it yet" in str(error.value)
    assert ("knn" in str(error.value)) == (command is fit)
    assert not (tmp_path / "runs").exists()
