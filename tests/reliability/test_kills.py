"""kill -9 in the middle, and a disk that is full: the same command goes on, and nothing is torn."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.faults import encoded, speech
from helpers.mutations import Rng, times

from speechnet.cli.main import main

pytestmark = pytest.mark.reliability

LIMIT = 300
"""Seconds after which a process that never comes to where it is killed is taken to hang."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of them."""
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(60):
        y = speech(number, 0.5 + number / 60, 8_000)
        (folder / f"{number:02}.wav").write_bytes(encoded(y, "WAV", rate=8_000))
    return folder


def test_predict(tiny_run: Path, recordings: Path, tmp_path: Path, rng: Rng) -> None:
    """Killed at a row drawn at random, then given again: the table is the uninterrupted one."""
    words = ["predict", "--run", str(tiny_run), "--model", "knn", str(recordings), "--out"]
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert main([*words, str(whole)]) == 0
    for _ in range(times(3)):
        part, rows = Path(f"{out}.part"), int(rng.integers(2, 60))
        process = subprocess.Popen(
            [sys.executable, "-m", "speechnet", *words, str(out)],
            start_new_session=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with process:
            until = time.monotonic() + LIMIT
            while process.poll() is None and not (
                part.exists() and part.read_bytes().count(b"\n") >= rows
            ):
                assert time.monotonic() < until, "it never wrote a row"
                time.sleep(0.001)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert main([*words, str(out)]) == 0
        assert out.read_bytes() == whole.read_bytes()
        assert not [path for path in tmp_path.iterdir() if path not in {out, whole}]
        out.unlink()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of a quarter of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    mount = shutil.which("mount")
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can't be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(
    small: Path, tiny_config: Path, tiny_run: Path, recordings: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Exit code 4 and a sentence; what is there is whole, and with room the command goes on."""
    filler = small / "filler"
    filler.write_bytes(bytes(small.stat().st_blksize))
    free = shutil.disk_usage(small).free
    filler.write_bytes(bytes(free - 4_096))
    words = ["predict", "--run", str(tiny_run), "--model", "all", str(recordings), "--out"]
    assert main([*words, str(small / "out.csv")]) == 4
    assert "no space left" in capsys.readouterr().err
    assert not (small / "out.csv").exists()
    fit = ["fit", "--config", str(tiny_config), "--out", str(small / "runs")]
    assert main(fit) == 4
    assert "no space left" in capsys.readouterr().err.lower()
    filler.unlink()
    assert main([*words, str(small / "out.csv")]) == 0
