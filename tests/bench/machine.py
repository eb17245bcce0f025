"""What the machine can do by itself: a fixed piece of work, and Argon2id on every core."""

import hashlib
import os
import threading
import time

from argon2 import PasswordHasher

from tests.bench.asked import Answered, percentile
from tests.bench.figures import Turn

# OWASP's parameters, which are ours: memory in KiB, passes, lanes.
ARGON2 = (19_456, 2, 1)
_CHUNK = b"x" * 4_096
_CHUNKS = 40_000


def control() -> float:
    """Do a fixed piece of work; return the CPU seconds it took, more when others share the core."""
    begun = time.thread_time()
    digest = hashlib.sha256()
    for _ in range(_CHUNKS):
        digest.update(_CHUNK)
    return time.thread_time() - begun


def ceiling(seconds: float) -> Turn:
    """Hash for so long on as many threads as there are cores; return it like a contender's turn."""
    memory, passes, lanes = ARGON2
    hasher = PasswordHasher(memory_cost=memory, time_cost=passes, parallelism=lanes)
    took: list[float] = []
    until = time.perf_counter() + seconds

    def hashing() -> None:
        while (begun := time.perf_counter()) < until:
            hasher.hash("Correct-Horse-9")
            took.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=hashing) for _ in range(os.cpu_count() or 1)]
    cpu, begun = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu, passed = time.process_time() - cpu, time.perf_counter() - begun
    took.sort()
    answered = Answered(
        requests=len(took),
        seconds=passed,
        p50=percentile(took, 0.5) * 1000,
        p99=percentile(took, 0.99) * 1000,
        refused=0,
        broken=0,
    )
    return Turn(answered=answered, cpu=cpu)
