"""The address that the demo listens on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from speechnet.core.errors import ConfigError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""The usual names of the machine itself."""


def is_loopback(host: str) -> bool:
    """Whether nobody but the users of this machine can reach an address."""
    return host in LOOPBACK or host.startswith("127.")


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind an address at once, so that a taken one shows before models are loaded.

    Args:
        host: a name or an address.
        port: of TCP; 0 for any that is free.

    Yields:
        A socket that is bound and not yet listening.

    Raises:
        ConfigError: the address can't be bound.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"host {host}, port {port}: {error}") from error
    with listener:
        if os.name == "posix":  # elsewhere this would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise ConfigError(
                f"can't listen on {host}, port {port} ({error.strerror}): give another by --port "
                "or --host"
            ) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """The URL of what listens on a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
