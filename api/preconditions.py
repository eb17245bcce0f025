"""ETag, If-Match, If-None-Match (RFC 9110, section 13): nobody overwrites what they have not seen.

An ETag is `"<version>-<digest>"`: the version of the row, which If-Match is about, and a digest of
the data as it was written, so that a 304 is never told about data that differ.
"""

import re
from hashlib import blake2b
from typing import Any

import orjson
from aiohttp import hdrs, web

from ops.errors import Kind, Problem

_OURS = re.compile(r'"(\d{1,18})-[0-9a-f]{8}(?:-gzip)?"')


class PreconditionFailed(Problem, kind=Kind.PRECONDITION_FAILED, code="PRECONDITION_FAILED"):
    """Somebody changed it meanwhile. Read it again, then repeat yours with its new ETag."""


class PreconditionRequired(Problem, kind=Kind.PRECONDITION_REQUIRED, code="PRECONDITION_REQUIRED"):
    """Send the ETag of what you read as If-Match, or If-Match: * to change it whatever it is."""


def etag_of(version: int, data: Any) -> str:
    """Return the entity tag of data at a version."""
    digest = blake2b(orjson.dumps(data, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()
    return f'"{version}-{digest}"'


def expected_versions(request: web.Request) -> frozenset[int] | None:
    """Return the versions If-Match allows; None when it allows every one, or is not there.

    A tag that is weak or none of ours allows nothing (strong comparison).
    """
    headers = request.headers.getall(hdrs.IF_MATCH, [])
    tags = [tag.strip() for tag in ",".join(headers).split(",")]
    if not headers or tags == ["*"]:
        return None
    return frozenset(int(found[1]) for tag in tags if (found := _OURS.fullmatch(tag)))


def is_known(request: web.Request, etag: str) -> bool:
    """Say whether If-None-Match names this tag (weak comparison)."""
    tags = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH, [])).split(",")
    known = {tag.strip().removeprefix("W/").replace('-gzip"', '"') for tag in tags}
    return etag in known or "*" in known
