"""Hides installed packages that a library would load to do what is done otherwise here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Have imports of the package fail meanwhile, unless somebody has loaded it already."""
    modules = cast(dict[str, Any], sys.modules)
    if package in modules:
        yield
        return
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]
