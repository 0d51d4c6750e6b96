"""Networks over time: padding changes nothing, crops, norms, what training alone does, averages."""

import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tables import TARGETS, corpus_table, speech_data
from lightning.pytorch import Callback
from torch import Tensor, nn

from speechnet.core.types import FeatureSet, Sequences
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.attention_pooling import AttentionPooling
from speechnet.models.neural.cnn import CNN
from speechnet.models.neural.crnn import CRNN
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.lightning_module import LightningNetwork
from speechnet.models.training.network import Network
from speechnet.models.training.residual import BothWays
from speechnet.models.training.sequence_model import SequenceModel
from speechnet.models.training.sequences import AttentiveStatistics
from speechnet.models.training.trainer import NetworkTrainer

LENGTHS = [1, 2, 7, 16, 31]
SMALL = CRNN(channels=[4, 6, 8, 8], hidden=5)
NETWORKS = [
    SMALL,
    replace(SMALL, recurrent="gru", normalise="recording", crop_seconds=0.1, crops=3),
    AttentionPooling(hidden=7, crop_seconds=0.12),
    CNN(channels=[5, 4], normalise="recording"),
]


def made(config: SequenceModel, width: int = 9, kind: type[Network] = Network) -> Network:
    """A network whose every number is drawn."""
    torch.manual_seed(0)
    name = {CRNN: "crnn", AttentionPooling: "attention_pooling", CNN: "cnn"}[type(config)]
    network = kind(width, TARGETS, name, asdict(config))
    network.set_scaling(torch.randn(width), torch.rand(width) + 0.5)
    network.trunk.rate.fill_(100.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def recordings(width: int = 9) -> list[Tensor]:
    """Of several lengths."""
    drawn = torch.Generator().manual_seed(1)
    return [3 * torch.randn(n, width, generator=drawn) + 1 for n in LENGTHS]


def padded(some: list[Tensor], frames: int, beyond: float) -> Tensor:
    """Recordings side by side, with some value behind the end of each."""
    x = torch.full((len(some), frames, some[0].shape[1]), beyond)
    for row, one in enumerate(some):
        x[row, : len(one)] = one
    return x


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize(("frames", "beyond"), [(31, 0.0), (50, 1e3)])
def test_padding_changes_nothing(config: SequenceModel, frames: int, beyond: float) -> None:
    """A recording alone, and beside longer ones with anything behind its end: the same logits."""
    network, some = made(config).eval(), recordings()
    together = network(padded(some, frames, beyond), torch.tensor(LENGTHS))
    for row, one in enumerate(some):
        alone = network(one[None], torch.tensor([len(one)]))
        for target in TARGETS:
            torch.testing.assert_close(together[target][row], alone[target][0])
    assert len(together["emotion"].detach().round(decimals=4).unique(dim=0)) == len(LENGTHS)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_both_ways_is_a_bidirectional_layer_on_packed_sequences(kind: str) -> None:
    """That of torch, with the same weights."""
    torch.manual_seed(0)
    ours, some = BothWays(9, 4, kind=kind), recordings()
    theirs = (nn.LSTM if kind == "lstm" else nn.GRU)(9, 4, batch_first=True, bidirectional=True)
    weights = dict(ours.forth.state_dict())
    weights |= {f"{name}_reverse": one for name, one in ours.back.state_dict().items()}
    theirs.load_state_dict(weights)
    x, lengths = padded(some, 31, 5.0), torch.tensor(LENGTHS)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)[0]
    found = ours(x, lengths)
    for row, n in enumerate(LENGTHS):
        torch.testing.assert_close(found[row, :n], expected[row, :n])


def test_attentive_statistics() -> None:
    """The formula in NumPy, frame by frame."""
    torch.manual_seed(0)
    pool, some = AttentiveStatistics(9, 4), recordings()
    found = pool(padded(some, 40, 7.0), torch.tensor(LENGTHS)).detach().numpy()
    W, b = pool.hidden.weight.detach().numpy(), pool.hidden.bias.detach().numpy()
    v = pool.score.weight.detach().numpy()[0]
    for row, one in zip(found, some, strict=True):
        h = one.numpy().astype(np.float64)
        e = np.exp([v @ np.tanh(W @ frame + b) for frame in h])
        mean = (e / e.sum()) @ h
        spread = np.sqrt((e / e.sum()) @ (h - mean) ** 2 + 1e-5)
        np.testing.assert_allclose(row, np.concatenate([mean, spread]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "starts",
    [{16: [0, 3, 6], 31: [0, 10, 21]}, {16: [3], 31: [10]}],  # of ten frames; halves become even
)
def test_crops_are_averaged(starts: dict[int, list[int]]) -> None:
    """The mean logits of parts from the first to the last frame; short recordings are whole."""
    config = replace(SMALL, crop_seconds=0.1, crops=len(starts[16]))
    network, some = made(config).eval(), recordings()
    found = network(padded(some, 31, 0.0), torch.tensor(LENGTHS))["emotion"]
    whole = made(SMALL).eval()
    for row, one in enumerate(some):
        parts = [one[start : start + 10] for start in starts.get(len(one), [0])]
        logits = [whole(part[None], torch.tensor([len(part)]))["emotion"][0] for part in parts]
        torch.testing.assert_close(found[row], torch.stack(logits).mean(dim=0))


def test_recordings_level_and_spread_are_taken_out() -> None:
    """With ``normalise: recording`` a recording's gain and offset don't matter."""
    config = replace(SMALL, normalise="recording")
    network, one = made(config).eval(), 100 * recordings()[-1]
    lengths = torch.tensor([31])
    scaled = one * (torch.rand(9) + 0.5) + 100 * torch.randn(9)
    found, other = (network(x[None], lengths)["emotion"] for x in (one, scaled))
    torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-3)
    plain = made(SMALL).eval()
    assert (
        plain(one[None], lengths)["emotion"] - plain(scaled[None], lengths)["emotion"]
    ).abs().max() > 0.01


@pytest.mark.parametrize(
    "change",
    [{"stretch": 0.3}, {"warp": 0.3}, {"time_masks": 2, "time_mask": 0.5},
     {"frequency_masks": 2, "frequency_mask": 0.6}, {"crop_seconds": 0.1}],
)  # fmt: skip
def test_changes_in_training_alone(change: dict[str, Any]) -> None:
    """Each changes the output in training, by the seed, and nothing afterwards."""
    off = {"stretch": 0.0, "warp": 0.0, "time_masks": 0, "frequency_masks": 0, "dropout": 0.0}
    config = replace(SMALL, **(off | change))
    x, lengths = padded(recordings(), 31, 0.0), torch.tensor(LENGTHS)
    network, plain = made(config), made(replace(SMALL, **off))

    def after(seed: int, one: Network) -> Tensor:
        torch.manual_seed(seed)
        logits: Tensor = one(x, lengths)["emotion"]
        return logits

    assert torch.equal(after(0, network), after(0, network))
    assert not torch.allclose(after(0, network), after(1, network))
    assert torch.equal(after(0, plain), after(1, plain))
    if "crop_seconds" not in change:
        assert torch.equal(after(0, network.eval()), after(0, plain.eval()))


def test_labels_are_mixed_like_their_recordings() -> None:
    """``share`` of the loss for the one label, the rest for the other; a missing one is ignored."""
    network = made(replace(SMALL, mixup=0.5, dropout=0.0), kind=LightningNetwork)
    assert isinstance(network, LightningNetwork)
    x, lengths = padded(recordings(), 31, 0.0), torch.tensor(LENGTHS)
    labels = torch.tensor([[0, 1], [1, 3], [-1, 0], [1, -1], [0, 2]])
    torch.manual_seed(3)
    found = network._step(x, lengths, labels)
    torch.manual_seed(3)
    mixing = network.trunk.mixing(5)
    logits = network(x, lengths, mixing)
    share = float(mixing.share)
    expected = 0.0
    for truth, part in ((labels, share), (labels[mixing.order], 1 - share)):
        for column, scores in enumerate(logits.values()):
            known = truth[:, column] >= 0
            rows = scores[known].detach().log_softmax(dim=1)
            expected -= part * float(rows.gather(1, truth[known, column, None]).mean())
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)
    assert 0.01 < share < 0.99


class Weights(Callback):
    """Keeps the weights after each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        del trainer
        self.steps.append({name: one.clone() for name, one in pl_module.state_dict().items()})


def framed() -> SpeechDataModule:
    """Each row some times over, with noise."""
    data = speech_data(signal=4.0)
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 12, size=len(data.table))
    X = np.repeat(data.X, lengths, axis=0)
    frames = (X + rng.normal(size=X.shape)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    names = tuple(f"mel_{band}" for band in range(X.shape[1]))
    both = {"log_mel": Sequences(frames, starts, tuple(data.table.index), names, 100.0)}
    data.extraction = replace(data.extraction, features=FeatureSet(both))
    del data.feature_set
    return data


@pytest.mark.slow
def test_averaged_weights(tmp_path: Path, trainer_of: Callable[..., NetworkTrainer]) -> None:
    """The checkpoint holds the average by the formula, and that is what the dev part scored."""
    kept, data = Weights(), framed()
    fold = data.folds[0]
    trainer = trainer_of(data, max_epochs=3)
    with_weights = replace(
        trainer, make_trainer=lambda callbacks, logs: trainer.make_trainer([*callbacks, kept], logs)
    )
    config = replace(SMALL, features="log_mel", averaging=0.8, lr=0.02, patience=None)
    path, records = with_weights.fit(
        config, train=fold.train, dev=fold.dev, seed=0, folder=tmp_path, name="m_0"
    )
    (chosen,) = (int(record["epoch"]) for record in records if record["chosen"])
    steps = kept.steps[: (chosen + 1) * len(kept.steps) // 3]
    saved = torch.load(path, weights_only=True)
    for name, found in saved["state_dict"].items():
        average = steps[0][name]
        for one in steps[1:]:
            average = 0.8 * average + 0.2 * one[name]
        torch.testing.assert_close(found, average, msg=name)
    assert not any("averag" in key or "model_state" in key for key in saved)
    network = FittedNetworks.from_checkpoints([path])
    predicted = network.predict(data.feature_set.of("log_mel").take(fold.dev))
    truth = data.labels[fold.dev]
    recalls = [
        np.mean([(predicted[truth[:, c] == k, c] == k).mean() for k in np.unique(truth[:, c])])
        for c in range(2)
    ]
    assert records[chosen]["dev_uar"] == pytest.approx(np.mean(recalls))


def test_what_watches_a_training_can_be_sent_to_other_processes() -> None:
    """As where several devices train one network."""
    [found] = pickle.loads(pickle.dumps(SMALL.callbacks()))  # noqa: S301 - made here
    average = found._kwargs["avg_fn"](torch.tensor(1.0), torch.tensor(2.0), 5)
    assert float(average) == pytest.approx(1.01)


def bands() -> SpeechDataModule:
    """A band of 32 that is louder than the noise; the classes say which."""
    data = speech_data(corpus_table(speakers=16, each=8))
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 40, size=len(data.table))
    gender, emotion = np.repeat(data.labels, lengths, axis=0).T
    centre = 4 + 16 * gender + 3 * emotion
    loud = 3 * np.exp(-((np.arange(32) - centre[:, None]) ** 2) / 8)
    frames = (loud + rng.normal(size=loud.shape)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    names = tuple(f"mel_{band}" for band in range(32))
    both = {"log_mel": Sequences(frames, starts, tuple(data.table.index), names, 100.0)}
    data.extraction = replace(data.extraction, features=FeatureSet(both))
    return data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "make", "epochs"),
    [
        (CRNN(channels=[8, 16], hidden=16, batch_size=8), bands, 8),
        (AttentionPooling(hidden=16, crop_seconds=0.05, batch_size=8, lr=0.01), framed, 16),
    ],
)
def test_learns(
    config: SequenceModel,
    make: Callable[[], SpeechDataModule],
    epochs: int,
    tmp_path: Path,
    trainer_of: Callable[..., NetworkTrainer],
) -> None:
    """Both targets, far better than chance, with all that a small network does in training."""
    data = make()
    fold = data.folds[0]
    config = replace(config, features="log_mel")
    path, _ = trainer_of(data, max_epochs=epochs).fit(
        config, train=fold.train, dev=fold.dev, seed=0, folder=tmp_path, name="m_0"
    )
    test = data.feature_set.of("log_mel").take(fold.test)
    right = FittedNetworks.from_checkpoints([path]).predict(test) == data.labels[fold.test]
    assert right.mean() > 0.75  # guessing has 0.375


def test_predicted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long and short, in whatever batches: what each recording alone gives, in their own order."""
    monkeypatch.setattr("speechnet.models.training.fitted.PADDED", 20)
    some = [recordings()[row] for row in (3, 0, 4, 2, 1)]
    starts = np.cumsum([0, *map(len, some)]).astype(np.int64)
    names = tuple(f"mel_{band}" for band in range(9))
    together = Sequences(torch.cat(some).numpy(), starts, tuple("abcde"), names, 100.0)
    fitted = FittedNetworks([made(SMALL)])
    found = fitted.predict_proba(together)
    for row, one in enumerate(some):
        logits = fitted.networks[0](one[None], torch.tensor([len(one)]))
        for target in TARGETS:
            expected = logits[target][0].detach().double().softmax(dim=0)
            np.testing.assert_allclose(found[target][row], expected, atol=1e-6)
    nothing = fitted.predict_proba(together.take(np.empty(0, dtype=np.int64)))
    assert {target: one.shape for target, one in nothing.items()} == {
        target: (0, len(classes)) for target, classes in TARGETS.items()
    }
