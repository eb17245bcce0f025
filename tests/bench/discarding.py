"""A collector that takes traces and forgets them, in a process of its own: sending is measured."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def discarding() -> Iterator[str]:
    """Give the address of one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.discarding"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class _Forgets(BaseHTTPRequestHandler):
    """Reads what is sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a batch."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Listen until told to stop."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Forgets)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
