"""Writes `.env.example` from the declarations, so that it cannot fall behind them."""

from ops.settings.declarations import declarations
from ops.settings.declare import Declaration

_HEAD = """\
# Every setting of Ostiary, with its default. Copy to .env and change what you need:
# with none of it `make up` starts embedded servers and makes its own keys.
# Durations: 90s, 15m, 1h, 7d. Lists: comma separated.
# Made by `python -m ops env`; a test keeps it current.
"""


def example() -> str:
    """Return the text of `.env.example`."""
    lines = [_HEAD]
    section = ""
    for name, declaration in declarations().items():
        if declaration.section != section:
            section = declaration.section
            lines.append(f"# --- {section} ---")
        lines.append(_entry(name, declaration))
    return "\n".join(lines)


def _entry(name: str, declaration: Declaration) -> str:
    also = f" (also read: {', '.join(declaration.aliases)})" if declaration.aliases else ""
    value = declaration.example or declaration.default
    return f"# {declaration.help}{also}\n#{name}={value}\n"
