"""Tests of the command line: exit codes, what goes where, and signals to real processes."""

from __future__ import annotations

import inspect
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from joblib.externals.loky import process_executor

from speechnet import __version__
from speechnet.cli.main import COMMANDS, main
from speechnet.config.experiment import read_experiment
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.fit import fit

pytestmark = pytest.mark.slow

ONE_MODEL = ["--models.mlp=null", "--models.svm=null", "--models.logreg=null"]
NO_REPORT = ["--report.html=false", "--report.mistakes=0"]


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


SLOWLY = """
import time
import warnings
import soundfile
read = soundfile.SoundFile.read
def slow(*given, **named):
    time.sleep(0.3)
    return read(*given, **named)
soundfile.SoundFile.read = slow
"""
"""Python runs it at every start: however fast the machine, it is met while it reads recordings."""


def _start(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """A real process, in a group of its own as a shell would have it; reading takes time there."""
    command = [sys.executable, "-m", "speechnet", *arguments]
    site = log.parent / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SLOWLY)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": path},
        )


def _until(condition: Callable[[], bool], *, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


# -- usage ----------------------------------------------------------------------------------------


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, with --help and with --version there is an answer on stdout."""
    assert main([]) == 2
    assert main(["--help"]) == 0
    usage = capsys.readouterr().out
    assert all(f"\n  {command} " in usage for command in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"speechnet {__version__}\n"


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest command is named; settings before the command are told where they belong."""
    assert main(["predct", "x"]) == 2
    assert "unknown command 'predct'; the nearest of" in (err := capsys.readouterr().err)
    assert "is 'predict'" in err
    assert main(["--config", "x.yaml", "fit"]) == 2
    assert "--config stands where the command is expected" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command lists its keys."""
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"usage: python -m speechnet {command}")
    assert shown.err == ""


@pytest.mark.parametrize("key", ["models.svm", "data.features.functionals", "data.corpora"])
def test_help_of_a_section(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of any command that has it: its keys alone."""
    for command in ("fit", "audit"):
        with pytest.raises(SystemExit) as exit_:
            main([command, "--print_config", f"--{key}.help"])
        assert exit_.value.code == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"usage: python -m speechnet {command} ... [--{key} ")
        assert "--experiment" not in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--models.mlp.lr", "0.5"],
        ["test", "--run", "r", "--data.corpus.name", "emodb"],
        ["predict", "--run", "r", "a.wav", "b.wav"],
        ["synth", "--out", "o", "--speakers", "3"],
    ],
)
def test_print_config(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command prints its whole configuration, which fed back prints the same."""
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--print_config"])
    assert exit_.value.code == 0
    first = capsys.readouterr().out
    assert yaml.safe_load(first)
    path = tmp_path / "x.yaml"
    path.write_text(first)
    words = [word for word in arguments[1:] if word.endswith(".wav")]
    with pytest.raises(SystemExit):
        main([arguments[0], "--config", str(path), *words, "--print_config"])
    assert capsys.readouterr().out == first


# -- exit codes -----------------------------------------------------------------------------------


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is 2, with one line on stderr and nothing on stdout."""
    for words in (
        ["fit", "--data.corpus.rot", "x"],
        ["fit", "--data.corpus.name", "ravdes", "--data.corpus.root", str(tmp_path)],
        ["fit", "--config", str(tmp_path)],
        ["synth", "--out", str(tmp_path / "x"), "--speakers", "-1"],
        ["synth"],
        ["predict", "--run", "x", "--model", "svm"],
    ):
        assert main(words) == 2, words
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("error: ")
        assert shown.err.count("\n") == 1, shown.err


def test_bad_data(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad data is 3."""
    (tmp_path / "bad.wav").write_text("x")
    root = str(tmp_path / "none")
    for words in (
        ["test", "--run", root],
        ["predict", "--run", root, "x.wav"],
        ["predict", "--run", str(tiny_run), str(tmp_path / "bad.wav")],
        ["test", "--run", str(tiny_run), "--data.corpus.name=emodb", "--data.corpus.root", root],
    ):
        assert main(words) == 3, words
        assert "error: " in capsys.readouterr().err
    assert main(["test", "--run", str(tiny_run), "--corpus", "ravdess", "--root", root]) == 3
    said = capsys.readouterr().err
    assert "--root" in said
    assert "--data.corpus.root" not in said


def test_the_flag_that_was_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the key that it is short for."""
    (tmp_path / "run.json").write_text("{}")
    assert main(["test", "--run", str(tmp_path), "--corpus", "ravdes"]) == 2
    assert "error: --corpus is neither" in capsys.readouterr().err


def test_no_permission(
    tiny_config: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nowhere to write is 4, for every command."""
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "x")
    wav = str(next((tiny_config.parent / "cache" / "synthetic").rglob("*.wav")))
    for words in (
        ["fit", "--config", str(tiny_config), "--out", below],
        ["test", "--run", str(tiny_run), "--out", below],
        ["predict", "--run", str(tiny_run), "--out", below, wav],
        ["synth", "--out", below, "--speakers", "1", "--sentences", "1"],
    ):
        assert main(words) == 4, words
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "Traceback" not in shown.err


def test_errors_of_the_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk or a missing permission met anywhere is 4; other faults keep their traceback."""
    raised: BaseException = OSError(28, "No space left on device", "/x")

    def fail(_: object) -> None:
        raise raised

    monkeypatch.setattr("speechnet.cli.fit.run", fail)
    assert main(["fit"]) == 4
    raised = PermissionError(13, "Permission denied", "/y")
    assert main(["fit"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "error: No space left on device: /x",
        "error: Permission denied: /y",
    ]
    raised = KeyboardInterrupt()
    assert main(["fit"]) == 130
    raised = OSError(5, "Input/output error", "/z")
    with pytest.raises(OSError, match="Input/output"):
        main(["fit"])


# -- commands -------------------------------------------------------------------------------------


def test_synth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The corpus is written, its table named on stdout; again it is left as it is."""
    words = ["synth", "--out", str(tmp_path / "c"), "--speakers=2", "--sentences=1"]
    assert main([*words, "--sample_rate=8000"]) == 0
    table = Path(capsys.readouterr().out.strip())
    assert table == tmp_path / "c" / "labels.csv"
    assert len(pd.read_csv(table)) == 8
    assert len(list(table.parent.rglob("*.wav"))) == 8


def test_test(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags of the corpus reach the command."""
    assert main(["test", "--run", str(tiny_run), "--out", str(tmp_path / "t")]) == 0
    assert f"Tables: {tmp_path / 't'}" in capsys.readouterr().out
    words = ["test", "--run", str(tiny_run), "--out", str(tmp_path / "u")]
    assert main([*words, "--data.corpus.labels.emotion", "{angry: sad}"]) == 0
    confusion = pd.read_csv(tmp_path / "u" / "confusion.csv")
    assert confusion.query("truth == 'angry'")["count"].sum() == 0


def test_nobody_reads(tmp_path: Path) -> None:
    """A reader that has gone away is no fault of the program."""
    command = [sys.executable, "-m", "speechnet", "synth", "--out", str(tmp_path / "c")]
    words = ["--speakers=1", "--sentences=1", "--sample_rate=8000"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*command, *words], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# -- signals and several processes ----------------------------------------------------------------


@pytest.fixture(scope="module")
def long_config(tmp_path_factory: pytest.TempPathFactory, tiny_config: Path) -> Path:
    """An experiment long enough to be met in its middle, with processes of its own."""
    folder = tmp_path_factory.mktemp("long")
    text = tiny_config.read_text()
    text = text.replace(str(tiny_config.parent), str(folder)).replace(
        "speakers: 12, sentences: 1", "speakers: 12, sentences: 2"
    )
    text = text.replace("method: none", "method: nonstationary").replace(
        "{mfcc:", "{f0: [mean], mfcc:"
    )
    path = folder / "long.yaml"
    path.write_text(text)
    SpeechDataModule(read_experiment(["--config", str(path)])[0].data, seed=0).load_corpus()
    path.write_text(text.replace("backend: threading, n_jobs: 1", "n_jobs: 2"))
    return path


def _shards(config: Path) -> list[Path]:
    """The files of the feature cache."""
    return sorted((config.parent / "cache" / "features").rglob("*.parquet"))


def _kept(config: Path) -> int:
    """Rows in the feature cache."""
    return sum(len(pd.read_parquet(shard, columns=["key"])) for shard in _shards(config))


def _stopped(
    number: int, config: Path, out: Path, *flags: str, when: Callable[[], bool]
) -> tuple[int, str]:
    """Start a fit, send a signal to all of its processes once it is there, and wait for its end."""
    log = out.parent / f"{out.name}.log"
    process = _start("fit", "--config", str(config), "--out", str(out), *flags, log=log)
    try:
        _until(when, process=process)
        os.killpg(process.pid, number)
        return process.wait(60), log.read_text()
    finally:
        process.kill()
        process.wait()


def test_stopped_while_extracting(long_config: Path, tmp_path: Path) -> None:
    """Ctrl-C, then kill -9: the run stays marked, what was computed is kept and used again."""
    code, text = _stopped(  # with processes, each of which has its own Ctrl-C
        signal.SIGINT, long_config, tmp_path / "a", when=lambda: bool(_shards(long_config))
    )
    assert code == 130
    assert "error: interrupted; computed features are kept" in text
    assert "Traceback" not in text
    assert "Warning" not in text
    assert (tmp_path / "a" / "tiny" / "version_0" / "INCOMPLETE").exists()
    before, shards = _kept(long_config), _shards(long_config)
    code, text = _stopped(
        *(signal.SIGKILL, long_config, tmp_path / "b", "--parallel.n_jobs=1"),
        when=lambda: _shards(long_config) != shards,
    )
    assert code == -signal.SIGKILL
    assert (tmp_path / "b" / "tiny" / "version_0" / "INCOMPLETE").exists()
    kept = _kept(long_config)
    assert 0 < before < kept < 96
    flags = [*ONE_MODEL, *NO_REPORT, "--out", str(tmp_path / "c"), "--parallel.backend=threading"]
    run = fit(*read_experiment(["--config", str(long_config), *flags]))
    assert json.loads((run / "run.json").read_text())["corpus"]["computed"] == 96 - kept
    assert not (run / "INCOMPLETE").exists()
    assert np.isfinite(pd.read_csv(run / "projection.csv")["pc1"]).all()


def test_terminated_while_training(tiny_config: Path, tiny_run: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle of the network's training is 143, not Lightning's 0."""
    del tiny_run  # its features are there
    config = tmp_path / "endless.yaml"
    text = tiny_config.read_text().replace("max_epochs: 4", "max_epochs: 1000000")
    config.write_text(text.replace("patience: 3", "patience: null"))
    logs = tmp_path / "a" / "tiny" / "version_0" / "fold_0" / "logs"
    code, text = _stopped(signal.SIGTERM, config, tmp_path / "a", when=logs.exists)
    assert code == 143
    assert "error: terminated; computed features are kept" in text
    assert "Traceback" not in text
    assert (tmp_path / "a" / "tiny" / "version_0" / "INCOMPLETE").exists()
    assert not (tmp_path / "a" / "tiny" / "version_0" / "run.json").exists()


SECOND = """
import sys
from pathlib import Path
import speechnet.experiment.fit  # which takes longest
from speechnet.cli.main import main
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    pass
sys.exit(main(sys.argv[3:]))
"""


def test_two_at_once(tiny_config: Path, tmp_path: Path) -> None:
    """Two runs that begin together get folders of their own, both finish, and score the same."""
    words = ["fit", "--config", str(tiny_config), "--out", str(tmp_path), *ONE_MODEL, *NO_REPORT]
    ready, go = tmp_path / "ready", tmp_path / "go"
    command = [sys.executable, "-c", SECOND, str(ready), str(go), *words]
    with subprocess.Popen(command) as process:
        _until(ready.exists, process=process)
        go.touch()
        assert main(words) == 0
        assert process.wait(180) == 0
    runs = [tmp_path / "tiny" / name for name in ("version_0", "version_1")]
    assert sorted((tmp_path / "tiny").iterdir()) == runs
    assert not list(tmp_path.rglob("INCOMPLETE"))
    first, second = ((run / "scores.csv").read_bytes() for run in runs)
    assert first == second


def test_on_a_terminal(tiny_config: Path, tmp_path: Path) -> None:
    """On a terminal one line goes through the stages, the result fits a screen, nothing warns."""
    words = ["fit", "--config", str(tiny_config), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "speechnet", *words, "--data.synthetic.seed=5"]
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
    os.close(master)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for part in (
        "starting",
        "1/8 corpus, synthesising speech",
        "2/8 features, extracting",
        "4/8 training, fold 2 of 2",
    ):
        assert part in text
    result = text[text.index("Scores in %") :].rstrip().splitlines()
    assert len(result) < 24 - 1  # a line stands above these words, one is for the next command
    report = f"Report: {tmp_path / 'tiny' / 'version_0' / 'report.html'}"
    assert report in "".join(result).replace("Report:/", "Report: /")
    text = re.sub(r"(?m)^Warning: .*", "", text)  # what limits the scores
    for noise in ("Warning", "warn", "Traceback", "deprecat", "resource_tracker", "💡", "Seed set"):
        assert noise not in text


def test_a_replaced_worker_is_not_reported() -> None:
    """Loky's warning of a worker that it replaced is ignored, other warnings aren't."""
    text = next(
        line.strip().strip('"')
        for line in inspect.getsource(process_executor).splitlines()
        if "A worker stopped while some jobs" in line
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert main(["report", "--run", "nowhere"]) != 0
        warnings.warn(text, UserWarning, stacklevel=1)
        warnings.warn("another", UserWarning, stacklevel=1)
    assert [str(one.message) for one in seen] == ["another"]
