"""What a stranger does: the installed command, from a folder of one's own, with relative paths."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from helpers.tiny import TINY
from matplotlib import get_cachedir

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("speechnet")
LEFT_BY_FIT = (
    *("config.yaml", "run.json", "split.csv", "predictions.parquet", "scores.csv", "corpus.csv"),
    *("report.html", "SHA256SUMS", "fold_0/mlp_0.ckpt", "fold_0/svm_emotion.skops"),
)


class Place(NamedTuple):
    """Where a stranger works: names with blanks and quotes, defaults, nothing set.

    Attributes:
        home: the working folder.
        link: a link to it.
        elsewhere: a folder beside it.
        environment: of its processes.
    """

    home: Path
    link: Path
    elsewhere: Path
    environment: dict[str, str]

    def run(self, *words: str, cwd: Path | None = None, code: int = 0) -> tuple[str, str]:
        """What the installed command prints to stdout and stderr."""
        done = subprocess.run(
            [COMMAND, *words],
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        for noise in ("Traceback", "Warning:", "warn("):
            assert noise not in done.stderr
        return done.stdout, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A working folder with a corpus and a configuration, where ``fit`` was run with defaults."""
    base = tmp_path_factory.mktemp("first use")
    home, link, elsewhere = base / "a stranger's folder", base / "link", base / "else where"
    for folder in (home / "my configs", elsewhere):
        folder.mkdir(parents=True)
    link.symlink_to(home)
    environment = {key: value for key, value in os.environ.items() if key != "SPEECHNET_CACHE"}
    environment |= {"HOME": str(base), "XDG_CACHE_HOME": str(base / "cache"), "COLUMNS": "80"}
    environment |= {"MPLCONFIGDIR": get_cachedir()}  # which takes seconds to make
    place = Place(home, link, elsewhere, environment)
    place.run("synth", "--out", "my corpus", "--speakers=12", "--sentences=1", "--sample_rate=8000")
    text = TINY.replace("data:\n", "data:\n  corpus: {name: synthetic, root: my corpus}\n")
    (home / "my configs" / "tiny.yaml").write_text(text)
    said, _ = place.run("fit", "--config", "my configs/tiny.yaml")
    assert said.rstrip().endswith("Report: checkpoints/tiny/version_0/report.html")
    return place


def test_fit_with_defaults(place: Place) -> None:
    """All that a run is made of lies below the folder that the command was given in."""
    run = place.home / "checkpoints" / "tiny" / "version_0"
    assert [name for name in LEFT_BY_FIT if not (run / name).exists()] == []
    assert not (run / "INCOMPLETE").exists()
    assert str(place.home) not in (run / "report.html").read_text()


def test_predict_from_anywhere(place: Place) -> None:
    """A run and recordings mean the same from the folder, and from elsewhere through a link.

    What goes to stdout is a clean CSV; what there is to say goes to stderr.
    """
    run, up = "checkpoints/tiny/version_0", f"../{place.home.name}"
    wav = str(min((place.home / "my corpus").rglob("*.wav")).relative_to(place.home))
    answers = [
        place.run("predict", "--run", run, wav, "none.wav"),
        place.run(
            "predict", "--run", f"../link/{run}/", f"{up}/{wav}", "none.wav", cwd=place.elsewhere
        ),
    ]
    assert all("missing" in told for _, told in answers)
    tables = [pd.read_csv(io.StringIO(said), keep_default_na=False) for said, _ in answers]
    files = [table.pop("file").tolist() for table in tables]
    assert files == [[wav, "none.wav"], [f"{up}/{wav}", "none.wav"]]
    assert tables[0]["reason"].tolist() == ["", "missing"]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize(
    ("command", "left"),
    [("test", "tests/version_0/scores.csv"), ("report", "report.html"), ("export", "export")],
)
def test_commands_on_a_run(place: Place, command: str, left: str) -> None:
    """What a command makes of a run lies in it by default, and is named from where one stands."""
    cwd = place.link if command == "test" else place.home
    said, _ = place.run(command, "--run", "checkpoints/tiny/version_0", cwd=cwd)
    assert f"checkpoints/tiny/version_0/{left.removesuffix('/scores.csv')}" in said
    assert (place.home / "checkpoints" / "tiny" / "version_0" / left).exists()
    assert str(place.home) not in said


def test_audit_and_compare(place: Place) -> None:
    """``--out`` is a folder from where one stands; a run is the same by whatever name."""
    config = f"../{place.home.name}/my configs/tiny.yaml"
    words = ("audit", "--config", config, "--data.corpus.root", f"../{place.home.name}/my corpus")
    said, _ = place.run(*words, "--out", "my audits", cwd=place.elsewhere)
    assert said.rstrip().endswith("Tables: my audits/tiny/audits/version_0")
    assert (place.elsewhere / "my audits/tiny/audits/version_0/audit.csv").exists()
    run = "checkpoints/tiny/version_0"
    _, said = place.run("compare", run, f"../link/{run}", cwd=place.home, code=2)
    assert "is the same folder" in said


def test_serve_answers(place: Place) -> None:
    """The demo starts from a relative path, says where it is, and ends without a word."""
    command = [COMMAND, "serve", "--run", "checkpoints/tiny/version_0", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=place.link,
        env=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 120)[0], "it never said where it is"
            said = process.stdout.readline()
            assert "http://127.0.0.1:" in said, process.communicate()
        finally:
            process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.communicate(timeout=60)[1]
