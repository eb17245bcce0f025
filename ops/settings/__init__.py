"""Settings: read once, typed, every mistake told at once, each with its cure.

Sources, the first that speaks wins: the environment, `.env`, and what `ops up` keeps in
OSTIARY_HOME (keys made on first start, addresses of the embedded servers).
"""

from ops.settings.declare import (
    Environment,
    LogFormat,
    SecurityProfile,
    TokenAlgorithm,
    TraceSampler,
    VerifiedEmail,
)
from ops.settings.kinds import Rate
from ops.settings.model import Settings
from ops.settings.read import SettingsInvalid, load

__all__ = [
    "Environment",
    "LogFormat",
    "Rate",
    "SecurityProfile",
    "Settings",
    "SettingsInvalid",
    "TokenAlgorithm",
    "TraceSampler",
    "VerifiedEmail",
    "load",
]
