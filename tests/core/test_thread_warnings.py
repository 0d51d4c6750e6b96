"""Tests of hearing the warnings of one thread."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechnet.config.experiment import ParallelConfig
from speechnet.core.thread_warnings import collected_warnings
from speechnet.experiment.parallel import parallel


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    warnings.warn(text, category, stacklevel=2)


def test_each_thread_hears_its_own() -> None:
    """Four threads that begin, warn and end in turns: none hears another, nothing escapes."""
    turns = threading.Barrier(4)

    def listen(number: int) -> list[str]:
        for _ in range(number):
            turns.wait()
        with collected_warnings() as said:
            for _ in range(4):
                turns.wait()
                warn(f"{number}")
                with warnings.catch_warnings():  # as scikit-learn does in its solvers
                    warnings.simplefilter("error", BytesWarning)
                    warn(f"{number}")
        for _ in range(3 - number):
            turns.wait()
        return [str(one) for one in said]

    before = warnings.filters[:], warnings.showwarning
    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(listen, range(4)))
    assert heard == [[str(number)] * 8 for number in range(4)]
    assert (warnings.filters, warnings.showwarning) == before


def test_what_is_not_taken_goes_its_way() -> None:
    """Filters decide as before: an error, a list of the caller's, or nothing."""
    with collected_warnings(lambda warning: "mine" in str(warning)) as said:
        warn("mine")
        with pytest.raises(RuntimeWarning, match="other"):
            warn("other", RuntimeWarning)
        with collected_warnings() as inner:
            warn("mine, too")
    assert [str(one) for one in said] == ["mine"]
    assert [str(one) for one in inner] == ["mine, too"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with collected_warnings(lambda _: False):
            warn("nobody's")
    with pytest.warns(UserWarning, match="the caller's"), collected_warnings(lambda _: False):
        warn("the caller's")


def test_catch_warnings_that_outlasts_the_listeners() -> None:
    """What it brings back is taken away again, and in between decides nothing."""
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        before = warnings.filters[:], warnings.showwarning
        listener, other = collected_warnings(), warnings.catch_warnings()
        listener.__enter__()
        other.__enter__()
        listener.__exit__(None, None, None)
        other.__exit__(None, None, None)
        warn("nobody listens")
        with collected_warnings(lambda _: False):
            warn("nobody takes it")
        assert shown == ["nobody listens", "nobody takes it"]
        assert (warnings.filters, warnings.showwarning) == before


@pytest.mark.parametrize(
    ("action", "times"), [("always", 6), ("default", 2), ("module", 1), ("once", 1), ("ignore", 0)]
)
def test_what_is_not_taken_is_shown_as_often_as_ever(action: str, times: int) -> None:
    """As Python's own filters do without a listener."""
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        with collected_warnings(lambda _: False):
            for _ in range(3):
                warn(f"of {action}")
                warn(f"of {action}")
    assert len(shown) == times


def test_catch_warnings_that_began_before_a_listener() -> None:
    """Where threads run side by side, one that ends its own deafens no other."""
    before = warnings.filters[:], warnings.showwarning
    with parallel(ParallelConfig(backend="threading", n_jobs=2)):
        other, listener = warnings.catch_warnings(), collected_warnings()
        other.__enter__()
        said = listener.__enter__()
        other.__exit__(None, None, None)
        warn("heard")
        listener.__exit__(None, None, None)
    assert [str(one) for one in said] == ["heard"]
    assert (warnings.filters, warnings.showwarning) == before
