"""Serves /metrics: a listener of its own, in threads of its own, away from the event loop."""

import random
import socket
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

from ops.metrics.exposition import CONTENT_TYPE, Exposition

# Below the range from which Linux takes ports for outgoing connections.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 50
_PATIENCE_SECONDS = 10
# A twentieth of the text already; more effort would only take longer.
_COMPRESSION = 1
_GZIP_WINDOW = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Listener:
    """A running metrics listener."""

    host: str
    port: int
    _server: ThreadingHTTPServer
    _thread: Thread

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def listening(registry: CollectorRegistry, host: str, port: int) -> Listener:
    """Serve a registry on `port` or, when 0 or taken, on a free one; raise OSError without one.

    A fixed port is for one process; its siblings, and its successor while both live, take free
    ones and announce them.
    """
    handler = _handler(Exposition(registry))
    wanted = [port] if port else []
    for candidate in [*wanted, *random.sample(_PORTS, _ATTEMPTS)]:
        try:
            server = _server_of(host)((host, candidate), handler)
        except OSError:
            continue
        thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        return Listener(host, candidate, server, thread)
    raise OSError("no free port for metrics between 20000 and 32000; set METRICS_PORT")


def _server_of(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            """Bind without asking a name server who we are, as HTTPServer does."""
            TCPServer.server_bind(self)

        def handle_error(self, *_: object) -> None:
            """Say nothing: whoever scrapes may hang up."""

    return Server


def _handler(exposition: Exposition) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_SECONDS
        server_version, sys_version = "ostiary", ""

        def do_GET(self) -> None:
            """Answer with every metric."""
            if urlsplit(self.path).path != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND, "Metrics are at /metrics")
                return
            text = exposition.text()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                self.send_header("Content-Encoding", "gzip")
                text = packed(text)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Log nothing: a scrape comes every few seconds."""

    return Handler


def packed(text: bytes) -> bytes:
    """Compress a scrape, as Prometheus always asks for it."""
    packer = zlib.compressobj(_COMPRESSION, wbits=_GZIP_WINDOW)
    return packer.compress(text) + packer.flush()
