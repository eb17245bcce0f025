"""python -m ops.metrics.page prints docs/metrics.md, which is made of the declarations."""

import sys

from ops.metrics import Metrics
from ops.metrics.declared import Declared

# Where the values of a label come from; nothing else may be one.
LABELS = {
    "action": "actions of the audit trail ([audit.md](audit.md#every-action))",
    "change": "our words for what was done, such as `created`",
    "code": "error codes ([ERRORS.md](ERRORS.md))",
    "column": "columns that are encrypted",
    "grant": "`password`, `register`, `refresh`",
    "http_request_method": "methods that HTTP has a name for, else `OTHER`",
    "http_response_status_code": "statuses",
    "http_route": "paths of the OpenAPI document, with `{id}` in them; what is none of them is"
    " `unmatched`",
    "job": "jobs of the catalogue ([jobs.md](jobs.md))",
    "method": "ways to sign in or up: `password`",
    "op": "`hash`, `verify`; for hashes of other systems `verify bcrypt`, `verify pbkdf2`,"
    " `verify argon2` (of other parameters than ours)",
    "operation": "statements by module and name, such as `users.by_id`; lists are `users.page` and"
    " `users.count`; `transaction.commit` is the wait for the disk; `other` is asyncpg's own",
    "outcome": "our words for an end, such as `done`, `retried`, `dead`; of letters `handed_over`,"
    " `failed`, `withheld`",
    "policy": "limits: `anonymous`, `authenticated`, `premium`, `refresh`; on failed sign-ins"
    " `auth` (those of one caller) and `account` (those at one account)",
    "queue": "queues of the catalogue",
    "reason": "our words for a reason",
    "result": "our words for a result, such as `success`, `failure`",
    "stage": "our words for a step, such as `requested`, `done`",
    "state": "our words for a state",
    "task": "periodic tasks ([clock.md](clock.md))",
    "template": "letters, by their template",
    "version": "the version that runs",
    "window": "`daily`, `weekly`, `monthly`",
}

_HEAD = """\
# Metrics

Made by `make docs` of what is declared in `ops/metrics/`; a test keeps it current.

Every process (web, relay, clock, each worker) serves its own `/metrics`, on METRICS_HOST
(127.0.0.1) and a free port between 20000 and 32000, never on the port that people reach. Where they
are is told at `GET /ops/prometheus/targets` to whoever has OPS_TOKEN
([operations.md](operations.md#metrics)). From there series have the labels `job="ostiary"`,
`instance`, `process` (`web.1`) and `process_type` (`web`).

What all processes share (`clock` in the last column) every clock process says alike: use
`max by (...)`, not `sum`. A counter has no series until its process has counted something with that
label, but for those that begin at 0 because an alarm waits for the first; `or vector(0)` makes
silence a number. Besides these there are `process_*` (memory, CPU, open files) and `python_info` of
the client library.

A web process that was asked for every route there is says 1,850 lines: 200 kB of text, 14 kB as
Prometheus asks for them (gzip). They are written beside the event loop, which gets its turn every
200 lines. What it all costs is measured by `make bench ROW=instrumentation`
([BENCHMARKS.md](BENCHMARKS.md)).

## Every metric

| metric | type | labels | meaning | set by |
|---|---|---|---|---|
"""
_LABELS_HEAD = """
## Every label

No label ever holds a path as it was called, a person, an e-mail address or a network address.

| label | values |
|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    declared = sorted(Metrics().declared, key=lambda each: each.name)
    used = sorted({label for each in declared for label in each.labels})
    labels = [f"| `{label}` | {LABELS[label]} |" for label in used]
    rows = [_row(each) for each in declared]
    return _HEAD + "\n".join([*rows, ""]) + _LABELS_HEAD + "\n".join([*labels, ""])


def _row(each: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels)
    return f"| `{each.name}` | {each.kind} | {labels} | {each.text} | {each.by} |"


if __name__ == "__main__":
    sys.stdout.write(page())
