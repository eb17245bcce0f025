"""What is declared of every setting, for those who read, document and check them."""

from dataclasses import fields

from ops.settings.declare import Declaration
from ops.settings.model import Settings


def declarations() -> dict[str, Declaration]:
    """Every setting by the name of its variable, in the order of `.env.example`."""
    return {
        item.name.upper(): item.metadata["setting"]
        for item in fields(Settings)
        if "setting" in item.metadata
    }
