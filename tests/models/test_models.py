"""What every classifier must do, neural and classical alike; and that none is ever unpickled."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS, speech_data
from sklearn.preprocessing import StandardScaler

from speechnet.core.errors import DataError
from speechnet.core.types import Float32, Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.classical.knn import KNN
from speechnet.models.classical.logreg import LogReg
from speechnet.models.classical.sklearn_mlp import SklearnMLP
from speechnet.models.classical.svm import SVM
from speechnet.models.model import Fitted
from speechnet.models.neural.mlp import MLP
from speechnet.models.scikit.estimators import FittedEstimators, fit_estimator
from speechnet.models.scikit.files import dump_sklearn
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.training.fitted import FittedNetworks
from speechnet.splits.strata import inner_folds

pytestmark = pytest.mark.slow

GRIDS: dict[str, ScikitModel] = {
    "knn": KNN(n_neighbors=[4], weights=["uniform"]),  # of which many tie
    "svm": SVM(C=[1.0]),
    "logreg": LogReg(C=[0.1]),
    "sklearn_mlp": SklearnMLP(hidden=[8], max_iter=[5]),
}
ABSENT = TARGETS["emotion"].index("sad")


def training_rows(data: SpeechDataModule, *, absent: bool) -> Int64:
    train = data.folds[0].train
    return train[data.labels[train, 1] != ABSENT] if absent else train


def fit_estimators(name: str, data: SpeechDataModule, rows: Int64) -> dict[str, Any]:
    estimators = {}
    for column, target in enumerate(TARGETS):
        X, y = data.X[rows], data.labels[rows, column]
        folds = inner_folds(y[:, None], data.table["speaker"].to_numpy()[rows], folds=3, seed=0)
        candidate = GRIDS[name].candidates()[0]
        estimators[target] = fit_estimator(
            GRIDS[name], candidate, X, y, folds=folds, scaling="standard", seed=0
        )
    return estimators


@pytest.fixture(params=["whole", "absent"])
def absent(request: pytest.FixtureRequest) -> bool:
    """Whether a class in the middle has no rows to train on."""
    return bool(request.param == "absent")


@pytest.fixture(params=[*GRIDS, "mlp"])
def name(request: pytest.FixtureRequest) -> str:
    """Every classifier's name."""
    return str(request.param)


@pytest.fixture
def classifier(name: str, absent: bool, data: SpeechDataModule, fit: Callable[..., Any]) -> Fitted:
    """Each classifier, fitted; the scikit-learn ones trained on raw features, as the network."""
    if name != "mlp":
        rows = training_rows(data, absent=absent)
        return FittedEstimators(fit_estimators(name, data, rows), TARGETS)
    if absent:
        data.labels[data.labels[:, 1] == ABSENT, 1] = -1
    return FittedNetworks.from_checkpoints([fit(data, name="mlp_0")[0]])


def own_predictions(classifier: Fitted, target: str, X: Float32) -> Int64:
    """What the wrapped estimator predicts by itself."""
    if isinstance(classifier, FittedNetworks):
        with torch.inference_mode():
            logits = classifier.networks[0](torch.tensor(X))[target]
        return logits.argmax(dim=1).numpy()
    assert isinstance(classifier, FittedEstimators)
    estimator = classifier.estimators[target]
    if hasattr(estimator, "calibrated_classifiers_"):  # the SVM before its temperature
        estimator = estimator.calibrated_classifiers_[0].estimator
    return np.asarray(estimator.predict(X.astype(np.float64)))


class TestContract:
    def test_probabilities(self, classifier: Fitted, absent: bool, data: SpeechDataModule) -> None:
        """float64, a row for each recording, a column for each class in order; rows sum to 1."""
        proba = classifier.predict_proba(data.X)
        assert list(proba) == list(TARGETS) == list(classifier.targets)
        for target, classes in TARGETS.items():
            assert proba[target].shape == (len(data.X), len(classes))
            assert proba[target].dtype == np.float64
            assert (proba[target] >= 0).all()
            np.testing.assert_allclose(proba[target].sum(axis=1), 1, rtol=1e-9)
        if absent and isinstance(classifier, FittedEstimators):
            assert (proba["emotion"][:, ABSENT] == 0).all()

    def test_columns_are_the_classes(self, classifier: Fitted, data: SpeechDataModule) -> None:
        """The likeliest class is what the estimator itself predicts: no column is moved."""
        proba = classifier.predict_proba(data.X)
        for target in TARGETS:
            own = own_predictions(classifier, target, data.X)
            assert (proba[target].argmax(axis=1) == own).all()

    def test_permuted_rows(self, classifier: Fitted, data: SpeechDataModule) -> None:
        """A recording's probabilities don't depend on those beside it."""
        order = np.random.default_rng(0).permutation(len(data.X))
        straight, permuted = (classifier.predict_proba(X) for X in (data.X, data.X[order]))
        for target in TARGETS:
            np.testing.assert_allclose(permuted[target], straight[target][order], atol=1e-6)

    def test_one_row_and_none(self, classifier: Fitted, data: SpeechDataModule) -> None:
        """A single recording is enough, and an empty table gives an empty one."""
        for n in (1, 0):
            proba = classifier.predict_proba(data.X[:n])
            assert [values.shape for values in proba.values()] == [(n, 2), (n, 4)]

    def test_save_and_load(
        self, classifier: Fitted, name: str, data: SpeechDataModule, tmp_path: Path
    ) -> None:
        """What is read back gives the same probabilities to the last bit."""
        classifier.save(tmp_path, name)
        kind: Any = type(classifier)
        again = kind.load(tmp_path, name, TARGETS)
        for target, values in classifier.predict_proba(data.X).items():
            np.testing.assert_array_equal(again.predict_proba(data.X)[target], values)


def test_learns(fit: Callable[..., Any]) -> None:
    """All of them find classes that are plainly apart, in rows not trained on."""
    data = speech_data(signal=4.0)
    rows, test = data.folds[0].train, data.folds[0].test
    models: list[Fitted] = [
        FittedEstimators(fit_estimators(name, data, rows), TARGETS)
        for name in ("knn", "svm", "logreg")
    ]
    config = MLP(hidden=[16], dropout=0.1, lr=0.02, batch_size=16)
    models.append(FittedNetworks.from_checkpoints([fit(data, config, max_epochs=20)[0]]))
    for model in models:
        for column, (target, proba) in enumerate(model.predict_proba(data.X[test]).items()):
            share = (proba.argmax(axis=1) == data.labels[test, column]).mean()
            assert share > 0.9, (type(model).__name__, target)


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.flag,)


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """The file that a payload makes, which is shown to work, and gone again."""
    flag = tmp_path / "executed"
    pickle.loads(pickle.dumps(Payload(flag)))  # noqa: S301 - the attack itself, made here
    assert flag.exists()
    flag.unlink()
    return flag


class TestNothingIsUnpickled:
    def test_pickle_named_skops(self, flag: Path, tmp_path: Path) -> None:
        """A pickle under a baseline's name is refused before it runs."""
        for target in TARGETS:
            (tmp_path / f"svm_{target}.skops").write_bytes(pickle.dumps(Payload(flag)))
        with pytest.raises(DataError, match=r"svm_gender\.skops can't be read"):
            FittedEstimators.load(tmp_path, "svm", TARGETS)
        assert not flag.exists()

    @pytest.mark.parametrize("form", ["pickle", "torch", "hyper_parameters", "state_dict"])
    def test_checkpoint(
        self,
        form: str,
        flag: Path,
        tmp_path: Path,
        data: SpeechDataModule,
        fit: Callable[..., Any],
    ) -> None:
        """A payload anywhere in a checkpoint is refused before it runs."""
        path = tmp_path / "mlp_0.ckpt"
        if form == "pickle":
            path.write_bytes(pickle.dumps(Payload(flag)))
        elif form == "torch":
            torch.save(Payload(flag), path)
        else:
            fit(data, name="mlp_0")
            checkpoint = torch.load(path, weights_only=True)
            checkpoint[form]["extra"] = Payload(flag)
            torch.save(checkpoint, path)
        with pytest.raises(DataError, match=r"mlp_0\.ckpt can't be read"):
            FittedNetworks.load(tmp_path, "mlp", TARGETS)
        assert not flag.exists()

    def test_type_not_listed(self, data: SpeechDataModule, tmp_path: Path) -> None:
        """A file changed to make something else is refused by that thing's name."""
        rows = training_rows(data, absent=False)
        FittedEstimators(fit_estimators("knn", data, rows), TARGETS).save(tmp_path, "knn")
        path = tmp_path / "knn_emotion.skops"
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(files["schema.json"])
        schema |= {"__class__": "Popen", "__module__": "subprocess"}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (files | {"schema.json": json.dumps(schema)}).items():
                archive.writestr(name, content)
        with pytest.raises(DataError, match=r"never has.*subprocess\.Popen"):
            FittedEstimators.load(tmp_path, "knn", TARGETS)


class TestForeignFiles:
    def test_damaged(self, name: str, tmp_path: Path) -> None:
        """Half a file, or an empty one, is named."""
        ending = "ckpt" if name == "mlp" else "skops"
        kind: Any = FittedNetworks if name == "mlp" else FittedEstimators
        for suffix in ("gender", "emotion", "0"):
            (tmp_path / f"{name}_{suffix}.{ending}").write_bytes(b"PK\x03\x04 and no more")
        with pytest.raises(DataError, match=rf"{name}_\w+\.{ending} can't be read"):
            kind.load(tmp_path, name, TARGETS)

    def test_missing(self, tmp_path: Path) -> None:
        """A file that isn't there is named."""
        with pytest.raises(DataError, match=r"knn_gender\.skops is missing from the run folder"):
            FittedEstimators.load(tmp_path, "knn", TARGETS)
        with pytest.raises(DataError, match=r"holds no mlp_<member>\.ckpt"):
            FittedNetworks.load(tmp_path, "mlp", TARGETS)

    def test_no_classifier(self, tmp_path: Path) -> None:
        """A harmless estimator that predicts nothing is no model."""
        scaler = StandardScaler().fit(np.eye(3))
        dump_sklearn(scaler, tmp_path / "knn_gender.skops")
        with pytest.raises(DataError, match="holds no classifier of the 2 classes"):
            FittedEstimators.load(tmp_path, "knn", {"gender": TARGETS["gender"]})

    def test_of_other_classes(
        self, data: SpeechDataModule, fit: Callable[..., Any], tmp_path: Path
    ) -> None:
        """Models of other classes than the run says are refused: labels would be mixed up."""
        rows = training_rows(data, absent=False)
        FittedEstimators(fit_estimators("knn", data, rows), TARGETS).save(tmp_path, "knn")
        fit(data)
        fewer = TARGETS | {"emotion": TARGETS["emotion"][:3]}
        with pytest.raises(DataError, match="no classifier of the 3 classes"):
            FittedEstimators.load(tmp_path, "knn", fewer)
        turned = TARGETS | {"emotion": TARGETS["emotion"][::-1]}
        with pytest.raises(DataError, match=r"was made for .* the run says"):
            FittedNetworks.load(tmp_path, "mlp", turned)
