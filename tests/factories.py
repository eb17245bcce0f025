"""What tests make: settings, people, sockets."""

import random
import socket
from base64 import b64encode
from itertools import count
from typing import Any

import aiohttp

from api.passwords.hasher import Cost

PASSWORD = "Correct-Horse-9"
SECRET_KEYS = f"k1:{b64encode(b'1' * 32).decode()}"
OPS_TOKEN = "ops-token-of-the-test-suite"
# Argon2id turned down: what it costs is not what most tests are about.
CHEAP = Cost(memory=64, passes=1)

_numbers = count(1)


def new_user(**changes: Any) -> dict[str, Any]:
    """Return the body of a registration that nobody made before."""
    number = next(_numbers)
    return {
        "email": f"person{number}@example.com",
        "password": PASSWORD,
        "firstName": "Ada",
        "lastName": "Lovelace",
    } | changes


async def register(api: aiohttp.ClientSession, **changes: Any) -> dict[str, Any]:
    """Register somebody, return the data of the answer: user, accessToken, refreshToken."""
    async with api.post("/api/v1/auth/register", json=new_user(**changes)) as answer:
        body = await answer.json()
        assert answer.status == 201, body
        return dict(body["data"])


def bearer(signed_in: dict[str, Any]) -> dict[str, str]:
    """Return the header that carries somebody's access token."""
    return {"Authorization": f"Bearer {signed_in['accessToken']}"}


def free_socket() -> socket.socket:
    """Return a socket listening on 127.0.0.1, on a port that outgoing connections never take."""
    while True:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", random.randrange(12_000, 20_000)))
        except OSError:
            sock.close()
            continue
        sock.listen(128)
        sock.setblocking(False)
        return sock


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has at the moment."""
    with free_socket() as sock:
        return int(sock.getsockname()[1])
