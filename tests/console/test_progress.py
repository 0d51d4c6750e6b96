"""Tests of what the terminal shows."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from speechnet.cli.main import _take_volumes, main
from speechnet.console import messages
from speechnet.console.messages import complain, console, output, say, tell, volume
from speechnet.console.progress import (
    _line,
    each,
    file_progress,
    plan,
    progress,
    stage,
    working,
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """Somebody looks, at 80 columns."""
    made = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console, "is_interactive", True)
    for each_ in (console, messages._errors):
        monkeypatch.setattr(each_, "_file", made)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows: its only item."""
    now = [100.0]
    monkeypatch.setattr(_line, "get_time", lambda: now[0])
    return now


def line(width: int = 80) -> str:
    """The line of progress as it is at this moment."""
    page = Console(width=width, file=io.StringIO(), color_system=None)
    page.print(*_line.get_renderables())
    lines = page.file.getvalue().splitlines()
    assert len(lines) == 1
    return re.sub("[━╸╺ ]{2,}", " | ", lines[0]).strip()


def test_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is drawn into a pipe or a file."""
    with plan(["thinking"]), stage("thinking"), progress("counting", 3) as advance:
        advance(1)
        with working("guessing"), file_progress("extracting", 9) as extracted:
            extracted(3, 10.0)
    assert capsys.readouterr() == ("", "")


def test_a_bar_of_which_nothing_stays(terminal: _Terminal) -> None:
    """It is drawn with its count, then erased, and the cursor is back."""
    with progress("counting", 3) as advance:
        advance(2)
    drawn = terminal.getvalue()
    assert "counting" in drawn
    assert "2/3" in drawn
    assert "3/3" not in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1
    # To the line's beginning, and once more after the line feed of the end: up and erase.
    assert drawn.endswith("\n\x1b[?25h\r\x1b[1A\x1b[2K")
    assert drawn.count("\n") == 1


def test_one_line_for_all_that_is_nested(terminal: _Terminal) -> None:
    """Stages, folds and steps share a single display from beginning to end."""
    with plan(["features", "training"]):
        with stage("features"), progress("reading files", 5):
            assert line() == "1/2 features, reading files | 0/5"
        with stage("training"):
            for number in each([1, 2], "fold"):
                with progress("SVM, emotion", 1200) as advance:
                    advance(1100)
                    said = line()
                    assert said.startswith(f"2/2 training, fold {number} of 2, SVM, emotion |")
                    assert "1,100/1,200" in said
            with stage("unforeseen"), working("thinking"):
                assert line() == "unforeseen, thinking |"
    assert terminal.getvalue().count("\x1b[?25l") == 1


@pytest.mark.parametrize("width", [40, 80, 200])
def test_never_more_than_a_line(width: int) -> None:
    """However long the words are: they are cut, the count stays."""
    with plan(["a"]), stage("a"), progress("word " * 60, 9_999_999) as advance:
        advance(1)
        assert "1/9,999,999" in line(width)


def test_the_outer_count_is_shown(clock: list[float]) -> None:
    """Of batches the whole is counted, with the hours of speech that each of them adds."""
    with progress("recognising", 1000) as recognised:
        recognised(100)
        for _ in range(2):
            with file_progress("extracting", 50) as extracted:
                extracted(50, 1800.0)
        clock[0] += 10
        recognised(100)
        clock[0] += 5
        assert line() == "recognising | 200/1,000, 1.00 h of speech 00:35 left"
    with file_progress("extracting files", 300) as extracted:
        extracted(100, 900.0)
        assert line() == "extracting files | 100/300, 0.25 h of speech 00:00 left"


def test_time_left(clock: list[float]) -> None:
    """Of the first fold only the step's can be told, then that of all folds by those done."""
    said = []
    for _ in each(range(3), "fold"):
        with progress("SVM", 4) as advance:
            clock[0] += 600
            advance(1)
            said.append(line())
            clock[0] += 3000
    assert said == [
        "fold 1 of 3, SVM | 1/4 30:00 for this",
        "fold 2 of 3, SVM | 1/4 1:50:00 left",
        "fold 3 of 3, SVM | 1/4 50:00 left",
    ]
    for _ in each(range(1), "fold"):
        with progress("SVM", 4) as advance:
            clock[0] += 2
            advance(2)
            assert line() == "SVM | 2/4 00:02 left"
            clock[0] += 5
            assert line() == "SVM | 2/4 00:00 left"


def test_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Into a file a message is one line, is no markup, and goes where it belongs."""
    long = "[red]/a folder/" + "x" * 300
    say(long)
    say("result", to=output)
    captured = capsys.readouterr()
    assert captured.err == f"{long}\n"
    assert captured.out == "result\n"


def test_nothing_printed_steers_the_terminal(terminal: _Terminal) -> None:
    """In a message and in a table; nor is any of it markup. The styles are rich's own."""
    evil = "[bold]x[/bold] :smile: \x1b]0;title\x9b31m"
    table = Table(evil)
    table.add_row(evil)
    say(evil, style="red")
    console.print(table)
    text = terminal.getvalue()
    assert text.count(r"[bold]x[/bold] :smile: \x1b]0;") == 3
    assert r"[bold]x[/bold] :smile: \x1b]0;title\u009b31m" in text
    assert not re.search("\x1b(?!\\[[0-9;]*m)|\x07|\x9b", text)


def test_lines_are_broken_between_words(terminal: _Terminal) -> None:
    """On a terminal; but what is to be copied stays whole."""
    path = "/" + "x" * 100
    say(f"{'word ' * 20}{path} end")
    assert terminal.getvalue().splitlines() == [
        "word " * 15 + "word",
        "word " * 3 + "word",
        path,
        "end",
    ]


def heard(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is heard of each kind of message."""
    say("note")
    output.print("result")
    tell("detail")
    complain("error")
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("careful", UserWarning, stacklevel=1)
    complain("".join(str(one.message) for one in caught))
    log = logging.getLogger("some.library")
    for _ in range(2):
        log.info("library: info")
        log.warning("library: warning")
        log.error("library: error")
    captured = capsys.readouterr()
    return [*captured.out.splitlines(), *captured.err.splitlines()]


class TestVolume:
    @pytest.fixture(autouse=True)
    def warned(self) -> Iterator[None]:
        """As outside of tests, where warnings are printed."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            yield

    def test_quiet(self, capsys: pytest.CaptureFixture[str], terminal: _Terminal) -> None:
        """Results and errors, no bar, and afterwards all is as before."""
        with volume("quiet"), working("thinking"):
            assert heard(capsys) == ["result"]
        assert terminal.getvalue() == "error\n\nlibrary: error\n"
        say("note")
        assert terminal.getvalue().endswith("note\n")

    def test_normal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Notes and warnings too; what a library repeats is said once."""
        with volume("normal"):
            lines = heard(capsys)
        logged = ["library: warning", "library: error"]
        assert lines == ["result", "note", "error", "careful", *logged]

    def test_verbose(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Details, what libraries say of themselves, and the seconds of each stage."""
        with volume("verbose"):
            lines = heard(capsys)
            with plan(["one", "two"]), stage("two"):
                pass
        assert {"detail", "library: info"} <= {*lines}
        assert capsys.readouterr().err == "2/2 two: 0.0 s\n"
        tell("detail")
        logging.getLogger("some.library").info("afterwards")
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "rest", "found"),
    [
        (["--quiet", "a.wav"], ["a.wav"], {"--quiet"}),
        (["--out", "x", "--verbose"], ["--out", "x"], {"--verbose"}),
        (["--help", "--quiet"], ["--help"], {"--quiet"}),
        (["--out=x", "--quiet", "a"], ["--out=x", "a"], {"--quiet"}),
        (["--verbose", "--quiet"], [], {"--quiet", "--verbose"}),
        (["--out", "--quiet", "a.wav"], ["--out", "--quiet", "a.wav"], set()),
        (["--", "--quiet"], ["--", "--quiet"], set()),
    ],
)
def test_where_volumes_may_stand(words: list[str], rest: list[str], found: set[str]) -> None:
    """Anywhere after the command, except where a value or a file's name stands."""
    assert _take_volumes(words) == (rest, found)


def test_volumes_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Both contradict each other; an error is heard all the same; a value isn't taken for one."""
    assert main(["audit", "--quiet", "--verbose"]) == 2
    assert "--quiet and --verbose contradict each other" in capsys.readouterr().err
    assert main(["audit", "--config", "absent.yaml", "--quiet"]) == 2
    assert "no file absent.yaml" in capsys.readouterr().err
    assert main(["audit", "--config", "--quiet"]) == 2
    assert "--config needs a value" in capsys.readouterr().err


def test_they_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """By the program's usage, and by a command's own help."""
    for words in (["--help"], ["synth", "--help"]):
        with contextlib.suppress(SystemExit):
            main(words)
        said = capsys.readouterr().out
        assert "--quiet" in said
        assert "--verbose" in said


def test_a_fit_goes_through_its_plan(tiny_run: Path) -> None:
    """The stages announced are those that a run has seconds of, in their order."""
    from speechnet.config.experiment import read_experiment_file
    from speechnet.experiment.fit import _stages

    spent = json.loads((tiny_run / "run.json").read_text())["seconds"]
    announced = _stages(read_experiment_file(tiny_run / "config.yaml"))
    assert announced == [*spent, "report"]  # which begins when the folder is sealed
