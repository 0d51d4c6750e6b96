"""Tests of settings of ``data.split`` that the protocol doesn't use."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.splits.config import SplitConfig


def read(folder: Path, *files: str, flags: str = "") -> SplitConfig:
    """What is read of files, each of which sets ``data.split``, and of flags."""
    words = [f"--data.split.{flag}" for flag in flags.split()]
    for number, split in enumerate(files):
        path = folder / f"{number}.yaml"
        path.write_text(f"data: {{split: {split}}}")
        words += ["--config", str(path)]
    config, text = read_experiment(words)
    whole = folder / "whole.yaml"
    whole.write_text(text)
    assert read_experiment(["--config", str(whole)])[0] == config
    return config.data.split


@pytest.mark.parametrize(
    ("files", "flags", "message"),
    [
        ([], "folds=5", "folds is 5, but the protocol speaker makes one split: .*protocol kfold"),
        (["{folds: 3}"], "", "folds is 3, but the protocol speaker makes one split"),
        ([], "protocol=kfold test=0.5", "test is 0.5, .* kfold tests each .*protocol speaker"),
        (["{protocol: kfold}"], "speakers=[[a]]", r"speakers is \[\['a'\]\], .*protocol predef"),
        (["{protocol: loso, column: x}"], "", "column is x, but the protocol loso leaves"),
        ([], "protocol=random test=0.5", "test is 0.5, .* 5 folds: leave test .*split.folds 1"),
        (["{protocol: predefined, column: x}"], "test=0.25", "test is 0.25, .* from column or"),
        (
            [],
            "protocol=emodb-loso folds=3",
            "folds is 3, but the protocol emodb-loso has folds of its own",
        ),
        (["{protocol: loso}", "{folds: 3}"], "", "folds is 3, but the protocol loso"),
        ([], "protocol=kfold folds=1", "folds is 1, expected 2 or more for kfold"),
    ],
)
def test_refused(tmp_path: Path, files: list[str], flags: str, message: str) -> None:
    """Whoever sets something expects that it counts."""
    with pytest.raises(ConfigError, match=rf"^data\.split\.{message}"):
        read(tmp_path, *files, flags=flags)


@pytest.mark.parametrize(
    ("files", "flags", "expected"),
    [
        (["{folds: 5, test: 0.3}"], "", SplitConfig(test=0.3)),  # as in the config.yaml of a run
        (["{protocol: kfold, folds: 3}"], "protocol=loso", SplitConfig("loso")),
        (["{protocol: random, folds: 1, test: 0.3}"], "folds=4", SplitConfig("random", folds=4)),
        (
            ["{protocol: random, folds: 1, test: 0.3}"],
            "protocol=kfold folds=4",
            SplitConfig("kfold", folds=4),
        ),
        (["{protocol: kfold, folds: 3}", "{protocol: speaker}"], "", SplitConfig()),
    ],
)
def test_another_protocol(
    tmp_path: Path, files: list[str], flags: str, expected: SplitConfig
) -> None:
    """What a file says for its protocol doesn't hinder another one that is chosen later."""
    assert read(tmp_path, *files, flags=flags) == expected
