"""Compiled code: where it is kept, and by how many processes at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

from speechnet.core import librosa_loader as compiled

pytestmark = pytest.mark.slow


def test_processes_that_compile_at_once_never_load_each_others_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two read the index before either has written it; as numba names files, both take one."""
    compiled._unshare_names()
    first, second = (IndexDataCacheFile(str(tmp_path), "localmax", "stamp") for _ in range(2))
    monkeypatch.setattr(second, "_load_index", dict)
    first.save("float32", "code for float32")
    second.save("float64", "code for float64")
    later = IndexDataCacheFile(str(tmp_path), "localmax", "stamp")
    assert later.load("float64") == "code for float64"
    assert later.load("float32") in {None, "code for float32"}
    # The order of numba's own two writes: index, then data.
    monkeypatch.setattr(second, "_save_index", lambda _: None)
    second.save("int16", "code for int16")
    assert later.load("float64") == "code for float64"


UNWRITABLE = """
import os, sys, tempfile
free, access, make = tempfile.gettempdir(), os.access, tempfile.TemporaryFile
def refuse(*args, dir=None, **kwargs):
    if dir and not str(dir).startswith(free):
        raise PermissionError(dir)
    return make(*args, dir=dir, **kwargs)
# Nothing can be written but the system's temporary folder.
os.access = lambda path, mode: str(path).startswith(free) and access(path, mode)
tempfile.TemporaryFile = refuse
if sys.argv[1] == "with":
    import speechnet.core.librosa_loader
from librosa.core.pitch import double
print(double(4), os.environ["NUMBA_CACHE_DIR"])
"""

# In librosa's place: to compile all of it takes as long as a hundred tests.
COMPILED = """
import numba
@numba.njit("int64(int64)", cache=True)  # on import, as some of librosa's functions are
def double(x):
    return 2 * x
"""


def test_compiled_code_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Numba refuses without a folder for its cache; it is given one that is removed again."""
    package = tmp_path / "site" / "librosa" / "core"
    package.mkdir(parents=True)
    (tmp_path / "free").mkdir()
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "pitch.py").write_text(COMPILED)
    environment = dict(os.environ, PYTHONPATH=str(tmp_path / "site"), TMPDIR=str(tmp_path / "free"))
    environment.pop("NUMBA_CACHE_DIR", None)

    def run(word: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", UNWRITABLE, word]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert "cannot cache function" in run("without").stderr
    done = run("with")
    assert done.returncode == 0, done.stderr
    assert "code is compiled again" in done.stderr
    answer, folder = done.stdout.split()
    assert answer == "8"
    assert not Path(folder).exists()


def test_a_cache_that_can_be_written_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One place is enough; one that the user chose is never changed."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet" / "made"))
    compiled.usable_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr(compiled, "_can_write", lambda _: False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "chosen")
    compiled.usable_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == "chosen"
