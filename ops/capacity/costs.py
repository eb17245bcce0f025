"""What one piece of work costs, and how much of it one process or disk does: all as measured.

CPU times of the web process, PostgreSQL, Redis, relay and worker were taken from /proc on the
embedded servers with 100,000 users (2026-11-21, AMD EPYC, 2 cores), each as a multiple of GET
/auth/me in the same run, times that request's 380 us; sign-ins, refreshes, reads and lists add up
to what `make bench ROW=growth` and ROW=beside measure ("Cost as it grows", "Signing in" in
docs/BENCHMARKS.md; the newest run found a quarter less). Other figures name their section there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Work(StrEnum):
    """Kinds of work."""

    LOGIN = "sign-ins"
    FAILURE = "failed sign-ins"
    REFRESH = "refreshes"
    ME = "requests without a statement"
    READ = "requests of one statement"
    LIST = "lists of 30 people"
    CHANGE = "changes"
    LETTER = "letters"
    EVENT = "audit events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds of one core by part, commits that wait for the disk, bytes of write-ahead log.

    Log is most soon after a checkpoint, when whole pages go into it: such bytes these are.
    """

    web: float = 0
    hash: float = 0
    relay: float = 0
    worker: float = 0
    postgres: float = 0
    redis: float = 0
    commits: int = 0
    log: int = 0


# Argon2id at m=19456, t=2, p=1.
HASH = 28_000

COSTS: Mapping[Work, Cost] = {
    Work.LOGIN: Cost(web=6_500, hash=HASH, postgres=3_300, redis=600, commits=3, log=28_000),
    Work.FAILURE: Cost(web=4_200, hash=HASH, postgres=1_600, redis=400, commits=2, log=10_000),
    Work.REFRESH: Cost(web=1_150, postgres=370, redis=80, commits=1, log=600),
    Work.ME: Cost(web=350, redis=46),
    Work.READ: Cost(web=750, postgres=110, redis=50),
    Work.LIST: Cost(web=1_800, postgres=1_000, redis=70, commits=1, log=400),
    Work.CHANGE: Cost(web=3_600, postgres=1_300, redis=80, commits=1, log=23_000),
    Work.LETTER: Cost(relay=60, worker=5_200, postgres=1_700, redis=150, commits=3, log=2_700),
    Work.EVENT: Cost(worker=37, postgres=28, log=1_400),
}

# The share of a core that may be used at the peak: beyond it, queues grow faster than load.
BUSY = 0.6
# Audit events that the one sealer seals in a second ("The audit ledger").
SEALED = 7_979
# Its rows that are verified in a second (there, too), and how long the daily walk may take.
VERIFIED = 23_636
VERIFY_SECONDS = 3_600
# Promises that one relay hands over in a second ("The relay").
RELAYED = 25_445
# Commits in a second that waited for the disk, eight at once ("The audit ledger").
COMMITS = 1_768

# Resident, by process of the Procfile; a worker where none is named.
MEGABYTES = {"web": 130, "relay": 60, "clock": 60, "worker": 65, "hash slot": 20, "connection": 14}
# Of the embedded PostgreSQL; its own default is 100.
MAX_CONNECTIONS = 120
# Redis at rest with every lane full, and a caller's limit beside it.
REDIS_BYTES = 20_000_000
CALLER_BYTES = 140
