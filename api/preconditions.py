"""ETag, If-Match, If-None-Match (RFC 9110, section 13): nobody overwrites what they have not seen.

An ETag is `"<version>-<digest>"`: the version of the row, which If-Match is about, and a digest of
the data as it was written, so that a 304 is never told about data that differ.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import hdrs, web

from ops.errors import Kind, Problem

_KEPT = (hdrs.CACHE_CONTROL, hdrs.ETAG, hdrs.VARY)
_OURS = re.compile(r'"(\d{1,18})-[0-9a-f]{8}(?:-gzip)?"', re.ASCII)


class PreconditionFailed(Problem, kind=Kind.PRECONDITION_FAILED, code="PRECONDITION_FAILED"):
    """Somebody changed it meanwhile. Read it again, then repeat yours with its new ETag."""


class OtherVersion(Problem, kind=Kind.PRECONDITION_FAILED, code="PRECONDITION_FAILED"):
    """This is not what your If-Match names. Read it without If-Match to get what it is now."""


class AlreadyThere(PreconditionFailed, kind=Kind.PRECONDITION_FAILED, code="PRECONDITION_FAILED"):
    """It is what your If-None-Match names, so nothing was changed. Send its ETag as If-Match."""


class PreconditionRequired(Problem, kind=Kind.PRECONDITION_REQUIRED, code="PRECONDITION_REQUIRED"):
    """Send the ETag of what you read as If-Match, or If-Match: * to change it whatever it is."""


def etag_of(version: int, data: Any) -> str:
    """Return the entity tag of data at a version."""
    digest = blake2b(orjson.dumps(data, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()
    return f'"{version}-{digest}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The versions that a request may change, as it says itself."""

    # By If-Match; None allows every one.
    allowed: frozenset[int] | None = None
    # By If-None-Match; None refuses every one.
    refused: frozenset[int] | None = frozenset()

    def check(self, version: int) -> None:
        """Raise PreconditionFailed for a version that is not to be changed."""
        if self.allowed is not None and version not in self.allowed:
            raise PreconditionFailed
        if self.refused is None or version in self.refused:
            raise AlreadyThere


# What a request expects that says nothing.
ANYTHING = Expected()


def expected_by(request: web.Request) -> Expected:
    """Return which versions If-Match and If-None-Match of a change allow.

    A tag that is none of ours names no version, nor does a weak one in If-Match (strong comparison;
    that of If-None-Match is weak).
    """
    allowed = request.headers.getall(hdrs.IF_MATCH, [])
    refused = request.headers.getall(hdrs.IF_NONE_MATCH, [])
    if not (allowed or refused):
        return ANYTHING
    return Expected(
        allowed=_versions(allowed) if allowed else None,
        refused=_versions(refused, weak="W/") if refused else frozenset(),
    )


def _versions(headers: Sequence[str], *, weak: str = "") -> frozenset[int] | None:
    """Return the versions that tags name; None where `*` names every one."""
    tags = [tag.strip().removeprefix(weak) for tag in ",".join(headers).split(",")]
    if tags == ["*"]:
        return None
    return frozenset(int(found[1]) for tag in tags if (found := _OURS.fullmatch(tag)))


def check_expected(request: web.Request, etag: str) -> None:
    """Raise OtherVersion if a GET names other tags as If-Match (strong comparison)."""
    tags = _tags(request, hdrs.IF_MATCH)
    if tags and not tags & {etag, "*"}:
        raise OtherVersion


def is_known(request: web.Request, etag: str) -> bool:
    """Say whether If-None-Match names this tag (weak comparison), compressed or not."""
    tags = _tags(request, hdrs.IF_NONE_MATCH)
    return bool(tags) and not {tag.removeprefix("W/") for tag in tags}.isdisjoint({etag, "*"})


def not_modified(response: web.Response) -> web.Response:
    """Return the 304 in place of an answer: its validator, and what caches go by (15.4.5)."""
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=kept)


def _tags(request: web.Request, header: str) -> set[str]:
    """Return the tags of a header, as they are without compression."""
    given = request.headers.getall(header, None)
    if given is None:
        return set()
    return {tag.strip().replace('-gzip"', '"') for tag in ",".join(given).split(",")}
