"""What a load consists of: requests, asked in turn, and what came of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

# Stands in a request where each connection puts the newest token it was given.
TOKEN = "@TOKEN@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as its parts."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def raw(self, host: str, token: str = "") -> bytes:
        """Return its bytes, with the token where one belongs."""
        body = self.body.replace(TOKEN, token).encode()
        headers = {"Host": host, **self.headers}
        if body:
            headers["Content-Length"] = str(len(body))
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value.replace(TOKEN, token)}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests to one server, in turn over all connections.

    With a `chain` every connection begins with a token of its own, and each answer has the next
    one in the field of that name.
    """

    port: int
    requests: Sequence[Request]
    chain: str = ""
    tokens: Sequence[str] = ()

    @property
    def host(self) -> str:
        """What `Host` says."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a load; latencies in milliseconds.

    `refused` were answered with another status than 2xx, `broken` not at all.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    broken: int
    why: str = ""

    @property
    def failures(self) -> int:
        """How many were not answered well."""
        return self.refused + self.broken


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return what this share of the figures does not exceed; 0 when there are none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def as_json(load: Load) -> str:
    """Write a load down for another process."""
    return json.dumps(asdict(load))


def from_json(text: str) -> Load:
    """Read what `as_json` wrote."""
    facts = json.loads(text)
    requests = [Request(**request) for request in facts.pop("requests")]
    return Load(requests=requests, **facts)


def from_wrk(output: str) -> Answered:
    """Read the last line of wrk's output, which our script writes; ValueError without one."""
    line = output.strip().rpartition("\n")[2]
    return Answered(**json.loads(line))
