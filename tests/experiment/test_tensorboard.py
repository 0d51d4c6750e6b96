"""What TensorBoard is given to show, read by TensorBoard's own reader."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from speechnet.experiment.tensorboard import FIGURES, log_figures

TARGETS = ("gender", "emotion")


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.mark.parametrize("fold", [0, 1])
def test_curves_are_the_history(tiny_run: Path, fold: int) -> None:
    """Losses and dev UARs of the network and of each head, at each epoch as in history.csv."""
    history = pd.read_csv(tiny_run / "history.csv").query("fold == @fold")
    events = read(tiny_run / f"fold_{fold}" / "logs" / "mlp_0")
    names = [
        f"{part}_{kind}" for part, kind in (("train", "loss"), ("dev", "loss"), ("dev", "uar"))
    ]
    names += [f"{name}_{target}" for name in names for target in TARGETS]
    tags = {f"{name.split('_')[1]}/{name}": name for name in names}
    assert set(events.Tags()["scalars"]) == {*tags}
    for tag, name in tags.items():
        curve = events.Scalars(tag)
        assert [point.step for point in curve] == history["epoch"].tolist()
        assert [point.value for point in curve] == pytest.approx(history[name].tolist(), rel=1e-6)


def test_settings(tiny_run: Path) -> None:
    """The network's hyper-parameters, and the metric they are to be judged by."""
    summary = read(tiny_run / "fold_0" / "logs" / "mlp_0").summary_metadata
    content = {
        tag: one.plugin_data.content
        for tag, one in summary.items()
        if one.plugin_data.plugin_name == metadata.PLUGIN_NAME
    }
    started = metadata.parse_session_start_info_plugin_data(
        content[metadata.SESSION_START_INFO_TAG]
    )
    settings = started.hparams
    assert settings["lr"].number_value == 0.001
    assert settings["batch_size"].number_value == 8
    assert settings["hidden"].string_value == "[16]"
    assert settings["optimizer"].string_value == "adamw"
    experiment = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
    assert [one.name.tag for one in experiment.metric_infos] == ["uar/dev_uar"]


def test_figures_as_they_are(tmp_path: Path) -> None:
    """Every PNG that is asked for, byte by byte, with its size; nothing else."""
    folder = tmp_path / "figures"
    folder.mkdir()
    for name, size in (("roc", (2, 1)), ("uar", (1, 3)), ("other", (1, 1))):
        Figure(figsize=size, dpi=10).savefig(folder / f"{name}.png")
        (folder / f"{name}.svg").write_text("<svg/>")
    log_figures(tmp_path, ["uar", "roc"])
    events = read(tmp_path / FIGURES)
    assert events.Tags()["images"] == ["figures/roc", "figures/uar"]
    for name, size in (("roc", (20, 10)), ("uar", (10, 30))):
        (image,) = events.Images(f"figures/{name}")
        assert (image.width, image.height) == size
        assert image.encoded_image_string == (folder / f"{name}.png").read_bytes()
