"""Uploads in memory, and the bounds on them."""

from __future__ import annotations

import pytest

from speechnet.audio.config import AudioConfig
from speechnet.serve.limits import Limits
from speechnet.serve.uploads import Full, Uploads


def test_an_upload_is_held_until_it_is_discarded() -> None:
    """Under a name that can't be guessed; a second farewell is none."""
    uploads = Uploads(Limits())
    names = {uploads.add(b"sound") for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) == 32 for name in names)
    for name in names:
        assert uploads.get(name) == b"sound"
        uploads.discard(name)
        uploads.discard(name)
        assert uploads.get(name) is None
    assert uploads.used == 0


def test_there_is_room_for_so_much_and_no_more() -> None:
    """Those held and those on their way count alike; what breaks off frees its room."""
    uploads = Uploads(Limits(max_mb=1, parallel=1))  # 2 MB in all
    name = uploads.add(bytes(2**20))
    with uploads.room_for(900_000), pytest.raises(Full), uploads.room_for(200_000):
        pytest.fail("there was no room")
    with pytest.raises(RuntimeError, match="broke off"), uploads.room_for(2**20):
        raise RuntimeError("broke off")
    assert uploads.used == 2**20
    uploads.discard(name)
    with uploads.room_for(2**21):
        assert uploads.used == 2**21


def test_an_upload_is_drawn_whole_up_to_the_limits() -> None:
    """The run's own bounds on length and trimming give way; the others hold."""
    config = AudioConfig(sample_rate=8_000, trim_db=30.0, max_duration=5.0, silence_db=-50.0)
    bound = Limits(max_minutes=2).bound(config)
    assert (bound.max_duration, bound.trim_db) == (120.0, None)
    assert bound.max_samples == 120 * 2 * 48_000
    assert (bound.sample_rate, bound.silence_db) == (8_000, -50.0)
