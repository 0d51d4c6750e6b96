"""Tests of which settings of runs differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechnet.comparison.settings import differing, read_settings, same_experiment
from speechnet.core.errors import DataError


def settings(folder: Path, text: str) -> dict[str, object]:
    """What is read of a run with this configuration."""
    folder.mkdir()
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return dict(read_settings(folder))


def test_what_has_no_effect_is_left_out(tmp_path: Path) -> None:
    """Where files lie and what is drawn makes no other experiment; all else does."""
    found = settings(
        tmp_path / "run",
        "experiment: x\nout: runs\nseed_everything: 3\n"
        "data:\n  cache_dir: /c\n  corpus: {name: emodb, root: /r}\n"
        "  corpora:\n  - {name: a, root: /a}\n  - {name: b, root: /b}\n"
        "models: {mlp: {hidden: [8, 4]}}\nevaluation: {figures: false}\nparallel: {n_jobs: 3}\n",
    )
    assert found == {
        "seed_everything": 3,
        "data.corpus.name": "emodb",
        "data.corpora.0.name": "a",
        "data.corpora.1.name": "b",
        "models.mlp.hidden": [8, 4],
    }


def test_only_what_differs() -> None:
    """A row for each run; a section that one run has not is one key."""
    runs = {
        "A": {"a": 1, "b": [1, 2], "c.d": "x", "c.e": None, "only": True},
        "B": {"a": 1, "b": [1, 3], "c": None},
    }
    table = differing(runs)
    assert list(table.itertuples(index=False, name=None)) == [
        ("b", "A", "[1, 2]"),
        ("b", "B", "[1, 3]"),
        ("c", "A", "(set)"),
        ("c", "B", "null"),
        ("only", "A", "true"),
        ("only", "B", "(not set)"),
    ]
    del runs["B"]["c"]
    assert differing(runs).query("key == 'c'")["value"].tolist() == ["(set)", "(not set)"]
    assert differing({"A": runs["A"], "B": dict(runs["A"])}).empty


def test_the_same_experiment() -> None:
    """Another seed is the same experiment, anything else is not."""
    base = {"seed_everything": 0, "models.mlp.lr": 0.1}
    assert same_experiment(base, base | {"seed_everything": 5})
    assert not same_experiment(base, base | {"models.mlp.lr": 0.2})
    assert not same_experiment(base, {"seed_everything": 0})


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    """What can't be read is the run folder's fault, not the command line's."""
    with pytest.raises(DataError, match="can't be used: there is no file"):
        read_settings(tmp_path)
    with pytest.raises(DataError, match="isn't valid YAML"):
        settings(tmp_path / "run", "model: !!python/object/apply:os.system [true]\n")
