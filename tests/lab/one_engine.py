"""An HTTP server on a unix socket that plays an engine with one container, of which it tells what a test likes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any


class Engine(UnixStreamServer):
    """An engine that tells of one container only, and tells it whatever is asked."""

    def __init__(self, path: str, told: Any) -> None:
        self.told = told
        super().__init__(path, _Answer)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A handler wants an address, which a unix socket's client has not."""
        return super().get_request()[0], ("local", 0)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(self.server.told).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def engine_telling(folder: Path, told: Any) -> Iterator[dict[str, str]]:
    """Serve that engine; what comes back is the environment that leads to it."""
    with Engine(f"{folder}/engine", told) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"DOCKER_HOST": f"unix://{folder}/engine"}
        finally:
            server.shutdown()
            thread.join()
