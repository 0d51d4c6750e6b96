"""What a process leaves that is killed with its workers at work."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.reliability

AT_WORK = """
import os, sys, time
import joblib, numpy
from speechnet.core.processes import processes

def work(x):
    print(os.getpid(), x.filename, flush=True)
    while True:
        pass

with processes("loky", 2):
    joblib.Parallel()(joblib.delayed(work)(numpy.zeros(500_000)) for _ in range(2))
"""
LIMIT = 60.0
"""Seconds after which a worker that still lives is taken to go on for good."""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Though they are busy; the folder they shared is gone at the next start at the latest."""
    (tmp_path / "at_work.py").write_text(AT_WORK)
    environment = os.environ | {"JOBLIB_TEMP_FOLDER": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "at_work.py"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    ) as parent:  # fmt: skip
        begun = [parent.stdout.readline().split() for _ in range(2)]
        parent.kill()
    shared = {Path(name).relative_to(tmp_path).parts[0] for _, name in begun}
    assert len(shared) == 1
    until = time.monotonic() + LIMIT
    while left := [pid for pid, _ in begun if not _ended(pid)]:
        assert time.monotonic() < until, f"{left} go on without their parent"
        time.sleep(0.05)
    code = "from speechnet.core.scratch import shared_folder; shared_folder()"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert [path.name for path in tmp_path.iterdir()] == ["at_work.py"]


def _ended(pid: str) -> bool:
    """Whether it is gone, or only waits for whoever adopted it to notice."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
