"""Files that never change while a process lives: read once, compressed once, tagged by content."""

from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path

from aiohttp import hdrs, web

from api.compression import SMALLEST, VARY, accepts_gzip, packed
from api.preconditions import is_known, not_modified

_BEST = 9
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Bytes to serve, as they are and compressed."""

    body: bytes = field(repr=False)
    content_type: str
    zipped: bytes | None = field(repr=False)
    # A digest of the body; `?v=` with it makes an address that never means anything else.
    version: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> "Asset":
        """Return the asset of some bytes; compresses them, 50 ms for a megabyte."""
        shrinks = len(body) >= SMALLEST and not content_type.startswith("image/")
        return cls(
            body=body,
            content_type=content_type,
            zipped=packed(body, level=_BEST) if shrinks else None,
            version=blake2b(body, digest_size=8).hexdigest(),
        )

    def answer(self, request: web.Request, *, cache_control: str) -> web.Response:
        """Return the answer to a GET or HEAD: 304 for what is known, for good if versioned."""
        lasting = request.query.get("v") == self.version
        headers = {hdrs.CACHE_CONTROL: _YEAR if lasting else cache_control}
        body, etag = self.body, f'"{self.version}"'
        if self.zipped:
            headers[hdrs.VARY] = VARY
            if accepts_gzip(request):
                body, etag = self.zipped, f'"{self.version}-gzip"'
                headers[hdrs.CONTENT_ENCODING] = "gzip"
        headers[hdrs.ETAG] = etag
        response = web.Response(body=body, content_type=self.content_type, headers=headers)
        return not_modified(response) if is_known(request, f'"{self.version}"') else response


@cache
def asset_file(path: Path, content_type: str) -> Asset:
    """Return the asset of a file of ours, read at its first use."""
    return Asset.of(path.read_bytes(), content_type)
