"""Jobs done a second beside Celery, both as they come, in turn on one machine."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.bench.pipeline import LEFT, THREADS, promised, settled
from tests.bench.report import about, table
from tests.timing import server
from tests.workers.processes import eventually, starting

_HERE = Path(__file__).parent
# A round is measured from here on: what starting up costs is another matter.
_WARM = 200
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass(frozen=True, slots=True)
class Celery:
    """Celery in an environment of its own, which goes after the run."""

    folder: Path
    environ: dict[str, str]

    @property
    def version(self) -> str:
        """The version that the package index gave us."""
        told = subprocess.run(
            [self.folder / "bin" / "celery", "--version"],
            check=True,
            capture_output=True,
            text=True,
        )
        return told.stdout.split()[0]

    def rate(self, count: int) -> float:
        """Send so many tasks, then have a worker do them; return tasks a second."""
        client = redis.Redis.from_url(self.environ["REDIS_URL"])
        client.flushdb()
        python, celery = self.folder / "bin" / "python", self.folder / "bin" / "celery"
        how: dict[str, Any] = {"env": self._environment(), "cwd": self.folder, **_QUIET}
        subprocess.run([python, _HERE / "celery_peer.py", str(count)], check=True, **how)
        worker = subprocess.Popen([celery, "-A", "celery_peer", "worker", "-l", "WARNING"], **how)
        try:
            return self._measured(client, count)
        finally:
            worker.terminate()
            worker.wait(20)
            client.close()

    def _environment(self) -> dict[str, str]:
        url = self.environ["REDIS_URL"].replace("unix://", "redis+socket://")
        return os.environ | {"REDIS_URL": url, "PYTHONPATH": str(_HERE)}

    @staticmethod
    def _measured(client: Any, count: int) -> float:
        def left() -> int:
            return int(client.llen("celery") + client.hlen("unacked"))

        while (first := left()) > count - _WARM:
            time.sleep(0.01)
        begun = time.perf_counter()
        while left():
            time.sleep(0.01)
        return first / (time.perf_counter() - begun)


@contextmanager
def _installed(environ: dict[str, str]) -> Iterator[Celery]:
    with tempfile.TemporaryDirectory(prefix="ost-celery-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [Path(folder, "bin", "pip"), "install", "-q", "celery[redis]"]
        subprocess.run(pip, check=True)
        yield Celery(Path(folder), environ)


async def _ours(environ: dict[str, str], owner: Any, count: int) -> float:
    await promised(owner, count)
    with starting(environ) as begin:
        await begin("tests.bench.trivial", str(THREADS), ready="working")
        await begin("workers.relay", ready="relaying")
        await eventually(lambda: _at_most(owner, count - _WARM), 600)
        first, begun = await owner.fetchval(LEFT), time.perf_counter()
        await eventually(lambda: settled(owner), 600)
        return float(first / (time.perf_counter() - begun))


async def _at_most(owner: Any, count: int) -> bool:
    return bool(await owner.fetchval(LEFT) <= count)


async def jobs(chosen: Namespace) -> str:
    """Measure jobs a second, ours with outbox, idempotency, metrics and logs on."""
    count = min(chosen.jobs, 10_000)
    ours, theirs = [], []
    with server.stack() as environ, _installed(environ) as celery:
        version = celery.version
        async with server.owning(environ) as owner:
            for _ in range(chosen.repeat):
                ours.append(await _ours(environ, owner, count))
                theirs.append(await asyncio.to_thread(celery.rate, count))
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    rows = [
        ("ours: one relay, one worker, jobs a second", f"{statistics.median(ours):,.0f}", ""),
        ("Celery: a child for each core, tasks a second", f"{statistics.median(theirs):,.0f}", ""),
        ("ratio", f"{statistics.median(ratios):.2f}", ">= 1.5"),
        ("ratio, worst and best round", f"{min(ratios):.2f} to {max(ratios):.2f}", ""),
    ]
    what = f"{count:,} jobs a round, {chosen.repeat} rounds in turn; Celery {version}, acks_late"
    return about(what) + table(rows)
