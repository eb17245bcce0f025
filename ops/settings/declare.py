"""How a setting is declared, and the choices that some of them offer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ops.settings import kinds


class Environment(StrEnum):
    """Where this runs; production refuses what is only good for trying things out."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TEST = "test"


class SecurityProfile(StrEnum):
    """`seed`: the documents' rules; `strict`: NIST SP 800-63B-4, and strangers learn nothing."""

    SEED = "seed"
    STRICT = "strict"


class VerifiedEmail(StrEnum):
    """What a verified e-mail address is needed for."""

    OFF = "off"
    SENSITIVE = "sensitive"
    LOGIN = "login"


class TokenAlgorithm(StrEnum):
    """How access tokens are signed (RFC 7518, RFC 8037)."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"


class LogLevel(StrEnum):
    """The least grave events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """`auto` is text in development and one JSON object a line elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class TraceSampler(StrEnum):
    """Which requests are traced: OpenTelemetry's own words for its samplers."""

    ALWAYS_ON = "always_on"
    ALWAYS_OFF = "always_off"
    RATIO = "traceidratio"
    PARENT_ON = "parentbased_always_on"
    PARENT_OFF = "parentbased_always_off"
    PARENT_RATIO = "parentbased_traceidratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What one setting is, kept as metadata of its field."""

    kind: kinds.Kind[Any]
    default: str
    help: str
    section: str
    aliases: tuple[str, ...] = ()
    secret: bool = False
    example: str = ""


def setting(  # noqa: PLR0913 - one row of a table
    kind: kinds.Kind[Any],
    default: str,
    help: str,  # noqa: A002 - the word of argparse and prometheus
    *,
    section: str,
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    example: str = "",
) -> Any:
    """Declare one setting; secrets stay out of every repr."""
    declaration = Declaration(
        kind=kind,
        default=default,
        help=help,
        section=section,
        aliases=aliases,
        secret=secret,
        example=example,
    )
    return field(repr=not secret, metadata={"setting": declaration})
