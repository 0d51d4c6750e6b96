"""Tests of what the terminal shows."""

from __future__ import annotations

import io
import sys

import pytest

from speechnet.progress import console, output, progress, say, working


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is drawn into a pipe or a file."""
    with progress("counting", 3) as advance:
        advance(1)
    with working("thinking"):
        pass
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a bar with a count, and nothing of it stays."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "is_interactive", True)
    with progress("counting", 3) as advance:
        advance(2)
    assert "counting" in terminal.getvalue()
    assert "2/3" in terminal.getvalue()
    assert "3/3" not in terminal.getvalue()
    with working("thinking"):
        pass
    assert "thinking" in terminal.getvalue()
    before = terminal.getvalue()
    with progress("nothing", 0) as advance:
        advance(1)
    assert terminal.getvalue() == before


def test_say(capsys: pytest.CaptureFixture[str]) -> None:
    """A message is one line, is no markup, and goes where it belongs."""
    long = "[red]/a folder/" + "x" * 300
    say(long)
    say("result", to=output)
    shown = capsys.readouterr()
    assert shown.err == f"{long}\n"
    assert shown.out == "result\n"
    assert console.stderr
