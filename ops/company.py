"""Who runs beside the processes of the Procfile: nobody, or what watches them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ops.procfile import ProcessType
from ops.settings import Settings
from ops.stack import Addresses, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Further processes, the environment of each by its name, and what the card says of them."""

    types: tuple[ProcessType, ...] = ()
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: tuple[tuple[str, str], ...] = ()


# Called once the servers answer and before any process starts.
Invite = Callable[[Settings, Stack, Addresses], Company]


def nobody(_settings: Settings, _stack: Stack, _addresses: Addresses) -> Company:
    """Invite nobody."""
    return Company()
