"""Problems of HTTP itself: what is wrong with a request before any feature sees it."""

from ops.errors import Detail, Kind, Problem

_LONGEST_NAME = 100


class BadRequest(Problem, kind=Kind.MALFORMED, code="BAD_REQUEST"):
    """The request could not be read."""


class Invalid(Problem, kind=Kind.INVALID, code="VALIDATION_ERROR"):
    """Invalid input data"""  # noqa: D400 - the documents' own words

    @classmethod
    def field(cls, name: str, message: str) -> "Invalid":
        """Return the problem of one field."""
        return cls(details=[Detail(name, message)])


class Unauthorized(Problem, kind=Kind.UNAUTHENTICATED, code="UNAUTHORIZED"):
    """Sign in first: send an access token as Authorization: Bearer."""


class InvalidToken(Problem, kind=Kind.UNAUTHENTICATED, code="INVALID_TOKEN"):
    """This token is not valid or no longer valid. Sign in again, or refresh it."""


class Forbidden(Problem, kind=Kind.FORBIDDEN, code="FORBIDDEN"):
    """Your roles do not permit this. Ask an administrator."""


class NotFound(Problem, kind=Kind.NOT_FOUND, code="NOT_FOUND"):
    """There is nothing here. The API reference is at /api/docs."""


class MethodNotAllowed(Problem, kind=Kind.METHOD_NOT_ALLOWED, code="METHOD_NOT_ALLOWED"):
    """This address does not answer that method; the Allow header lists those it does."""


class NotAcceptable(Problem, kind=Kind.NOT_ACCEPTABLE, code="NOT_ACCEPTABLE"):
    """Answers are application/json or application/problem+json; accept one of them."""


class TooSlow(Problem, kind=Kind.TIMEOUT, code="BAD_REQUEST"):
    """The request did not arrive in time. Send it again, faster."""


class PayloadTooLarge(Problem, kind=Kind.TOO_LARGE, code="PAYLOAD_TOO_LARGE"):
    """The body is larger than this address takes."""


class UnsupportedMediaType(Problem, kind=Kind.UNSUPPORTED, code="UNSUPPORTED_MEDIA_TYPE"):
    """Send the body as application/json in UTF-8, without Content-Encoding."""


class Internal(Problem, kind=Kind.INTERNAL, code="INTERNAL_ERROR"):
    """An unexpected error occurred. It was logged under the request id of this answer."""


def shown(said: str, *, limit: int = _LONGEST_NAME) -> str:
    """Return what a query said as an answer can carry it: short, and text whatever its bytes."""
    return said[:limit].encode("utf-8", "replace").decode()
