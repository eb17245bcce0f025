"""`python -m ops up` that ends before anything runs: what it says, and what it leaves alone."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ops.settings.read import STACK_FILE, read_env_file
from ops.stack import Stack
from tests.commands import run
from tests.factories import free_port
from tests.furniture import furnished
from tests.nursery import Forking
from tests.ops.stacks import FAST, open_room

_NEWER = "INSERT INTO schema_migrations (version, checksum) VALUES ('29991231235959', 'x')"


@pytest.fixture
def home(furniture: Path) -> Iterator[Path]:
    """Give a home that has a database."""
    with open_room() as folder:
        yield furnished(folder / "home", furniture)


def left_waiting(port: int) -> None:
    """Close a connection as a server that has just ended does: the port is remembered a while."""
    here = ("127.0.0.1", port)
    with socket.create_server(here) as server, socket.create_connection(here):
        server.accept()[0].close()


async def test_a_release_that_is_too_old_for_the_database_starts_nothing(
    home: Path, forking: Forking
) -> None:
    stack = Stack(home, redis=False, settings=FAST)
    owner = await asyncpg.connect(stack.start().migration_database_url)
    await owner.execute(_NEWER)
    await owner.close()
    stack.stop()
    own = {"OSTIARY_HOME": str(home), "PORT": str(free_port())}

    code, said, complained = await asyncio.wait_for(run(forking, "ops", "up", environ=own), 60)

    assert code == 1
    assert "the database has migration 29991231235959, this release does not" in said
    assert "nothing else was started" in complained
    assert "web.1" not in said
    assert read_env_file(home / STACK_FILE) == {}


async def test_a_port_of_a_service_that_has_just_ended_is_free(
    home: Path, forking: Forking
) -> None:
    left_waiting(port := free_port())
    own = {"OSTIARY_HOME": str(home), "PORT": str(port)}

    code, _, complained = await run(forking, "ops", "up", "nonsense=1", environ=own)

    assert code == 1
    assert "Unknown process type 'nonsense'" in complained
