"""A run whose features are the layers of an encoder, from ``fit`` to what is made of its folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.experiment.export import export
from speechnet.experiment.fit import fit
from speechnet.experiment.report import report_data
from speechnet.experiment.rescore import rescore
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_tables import read_table
from speechnet.features.functionals import Functionals
from speechnet.report.figure import drawings_of

pytestmark = pytest.mark.slow

LAYERS = 5


@pytest.fixture(scope="module", autouse=True)
def stacked() -> Iterator[None]:
    """The 25 functionals of a tiny experiment pass for five layers of five numbers each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Functionals, "n_layers", property(lambda _: LAYERS))
        yield


@pytest.fixture(scope="module")
def words(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The flags of a tiny experiment with a network, a search among the layers, and their mean."""
    changed = {
        "out": str(tmp_path_factory.mktemp("layers")),
        "models": "{mlp: {hidden: [8], batch_size: 8, members: 2}, "
        "knn: {n_neighbors: [1], folds: 2, layer: [all]}, svm: {C: [1.0], folds: 2}}",
        "evaluation.ablate": "{importance: true, repeats: 2, models: [svm]}",
        "evaluation.clustering.enabled": "false",
        "models.logreg": "null",
        "report.mistakes": "0",
    }
    flags = [word for key, text in changed.items() for word in (f"--{key}", text)]
    return ["--config", str(tiny_config), *flags]


@pytest.fixture(scope="module")
def run(words: list[str]) -> Path:
    return fit(*read_experiment(words))


def test_weights_of_every_model(run: Path) -> None:
    """Of each fold, member and target, with the sum 1; a search's choice is that of search.csv."""
    table = read_table(run / "layers.csv").fillna({"target": ""})
    assert table["name"].tolist() == table["layer"].astype(str).tolist()  # no numbers in columns
    assert set(table["features"]) == {"functionals"}
    fitted = table.groupby(["fold", "model", "member", "target"])
    np.testing.assert_allclose(fitted["weight"].sum(), 1, atol=1e-6)
    assert fitted.size().eq(LAYERS).all()
    assert fitted.ngroups == 2 * (2 + 2 + 2)
    search = read_table(run / "search.csv")
    knn = search[(search["model"] == "knn") & search["chosen"]]
    for row in knn.itertuples():
        layer = json.loads(str(row.candidate))["layer"]
        of = (table["model"] == "knn") & (table["fold"] == row.fold)
        weights = table[of & (table["target"] == row.target)].set_index("layer")["weight"]
        assert weights[layer] == 1
    assert np.allclose(table.loc[table["model"] == "svm", "weight"], 1 / LAYERS)


def test_layers_are_shuffled_whole(run: Path) -> None:
    """Importance knows the encoder as one group, and its layers instead of their columns."""
    names = read_table(run / "importance.csv")["name"]
    assert set(names) == {"functionals", *(f"functionals layer {one}" for one in range(LAYERS))}


def test_the_folder_says_it_all(run: Path, tmp_path: Path) -> None:
    """Scored again, exported and reported from its folder alone."""
    [drawing] = drawings_of(report_data(RunFolder.open(run)))["layer_weights"]
    assert "KNN took layer" in drawing.caption
    folder = rescore(run, corpus={}, out=tmp_path / "again")
    first, again = (
        read_table(one / "novelty.csv").sort_values("file", ignore_index=True)["novelty"]
        for one in (run, folder)
    )
    np.testing.assert_allclose(again, first, rtol=1e-5)
    before = pd.read_parquet(run / "predictions.parquet").query("part == 'test'")
    after = pd.read_parquet(folder / "predictions.parquet")
    keys = ["model", "target", "fold", "file"]
    one, two = (part.sort_values(keys, ignore_index=True) for part in (before, after))
    pd.testing.assert_frame_equal(one, two)
    assert export(run, model="mlp", out=tmp_path / "onnx").is_file()


def test_a_layer_that_is_not_there(words: list[str]) -> None:
    """Refused before anything is computed."""
    with pytest.raises(ConfigError, match=r"models.knn.layer is 5, but the features have 5 layers"):
        read_experiment([*words, "--models.knn.layer", "[5]"])
