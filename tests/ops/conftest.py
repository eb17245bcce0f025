"""What tests of the stack share: a folder each, and one running stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack import Addresses, Stack
from tests.ops.stacks import FAST, open_room


@pytest.fixture
def room() -> Iterator[Path]:
    """Give each test a folder of its own."""
    with open_room() as folder:
        yield folder


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Stack, Addresses]]:
    """Share one running stack among the tests that leave it running."""
    with open_room() as folder:
        stack = Stack(folder / "home", settings=FAST)
        yield stack, stack.start()
        stack.stop()
