"""Connections of uvicorn's that nobody makes use of."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from speechnet.serve.connections import Connection

_WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", _WHOLE + _WHOLE[:20]])
def test_half_a_request_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as a connection's first nor as a later one; a whole one is answered."""
    monkeypatch.setattr("speechnet.serve.connections._ASKS_WITHIN_S", 0.2)
    assert _exchange(sent).count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


def test_an_answer_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the sender's."""
    monkeypatch.setattr("speechnet.serve.connections._ASKS_WITHIN_S", 0.05)
    assert _exchange(_WHOLE, takes=0.3).endswith(b"answer")


def _exchange(sent: bytes, *, takes: float = 0.0) -> bytes:
    """All that comes back, until the server closes the connection."""

    async def app(scope: object, receive: object, send: object) -> None:
        await asyncio.sleep(takes)
        await PlainTextResponse("answer")(scope, receive, send)  # type: ignore[arg-type]

    async def exchange() -> bytes:
        config = uvicorn.Config(app, log_config=None, ws="none", timeout_keep_alive=1)  # type: ignore[arg-type]
        state, loop = ServerState(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            back = b""
            try:
                while part := await asyncio.wait_for(reader.read(4_096), 10):
                    back += part
            except ConnectionResetError:
                pass  # as good an end as any
            writer.close()
        assert not state.connections
        return back

    return asyncio.run(exchange())
