"""Put before a run's path: every connection that leaves the machine is written down and refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_connect = socket.socket.connect


def _is_local(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) else address
    return not isinstance(address, tuple) or str(host) in ("127.0.0.1", "::1", "localhost")


def _guarded(self: socket.socket, address: object) -> None:
    if not _is_local(address):
        with Path(os.environ["CONNECTIONS"]).open("a") as file:
            file.write(f"{address}\n")
        raise OSError("no network")
    _connect(self, address)  # type: ignore[arg-type]


socket.socket.connect = _guarded  # type: ignore[method-assign, assignment]
