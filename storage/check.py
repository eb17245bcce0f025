"""What `doctor` asks this floor: the servers, the migrations, the keys."""

import time
from dataclasses import dataclass

from ops.crypto import CannotOpen
from ops.errors import Unavailable
from ops.metrics import Metrics
from ops.settings import Settings
from storage.database import Database
from storage.migrate import MigrationError, Migrator
from storage.proxies import SUSPICION, cure, suspected_proxy
from storage.redis import Redis


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, and the cure if it is not."""

    name: str
    ok: bool
    seen: str
    cure: str = ""


async def check(settings: Settings) -> list[Finding]:
    """Look at everything this floor depends on."""
    findings = [await _redis(settings), await _database(settings)]
    if findings[-1].ok:
        findings += [await _migrations(settings), await _roles(settings)]
    if all(item.ok for item in findings[1:]):
        findings.append(await _keys(settings))
    return [*findings, await _proxy(settings)] if findings[0].ok else findings


async def _redis(settings: Settings) -> Finding:
    url = settings.redis_url or "unix:///nowhere"
    client = Redis(url, Metrics(), timeout_ms=settings.redis_timeout_ms)
    started = time.perf_counter()
    try:
        await client.ping()
    except Unavailable:
        return Finding("redis", ok=False, seen="no answer", cure="start it, or check REDIS_URL")
    finally:
        await client.close()
    return Finding("redis", ok=True, seen=_milliseconds(started))


async def _proxy(settings: Settings) -> Finding:
    client = Redis(settings.redis_url, Metrics(), timeout_ms=settings.redis_timeout_ms)
    try:
        peer = await suspected_proxy(client, settings.trusted_proxies)
    except Unavailable as problem:
        return Finding("proxy", ok=False, seen=problem.message, cure="start Redis again")
    finally:
        await client.close()
    if peer is None:
        return Finding("proxy", ok=True, seen="none that TRUSTED_PROXIES lacks")
    return Finding("proxy", ok=False, seen=SUSPICION, cure=cure(peer, settings.trusted_proxies))


async def _database(settings: Settings) -> Finding:
    started = time.perf_counter()
    try:
        database = await _open(settings)
    except Unavailable as problem:
        return Finding(
            "postgresql", ok=False, seen=problem.message, cure="start it, or check DATABASE_URL"
        )
    await database.close()
    return Finding("postgresql", ok=True, seen=_milliseconds(started))


async def _migrations(settings: Settings) -> Finding:
    try:
        async with Migrator.connect(settings) as migrator:
            rows = await migrator.status()
    except (MigrationError, Unavailable) as error:
        return Finding("migrations", ok=False, seen=str(error), cure="python -m storage migrate")
    if missing := sum(not row.applied_at for row in rows):
        seen = f"{missing} not applied"
        return Finding("migrations", ok=False, seen=seen, cure="python -m storage migrate")
    if changed := [row.version for row in rows if row.changed]:
        seen = f"changed after they were applied: {', '.join(changed)}"
        return Finding("migrations", ok=False, seen=seen, cure="restore the files")
    return Finding("migrations", ok=True, seen="all applied")


async def _keys(settings: Settings) -> Finding:
    database = await _open(settings)
    try:
        async with database.reading() as storage:
            count = len(await storage.signing_keys.all())
    except CannotOpen:
        return Finding(
            "keys",
            ok=False,
            seen="a signing key was sealed under a secret key that SECRET_KEYS lacks",
            cure="put the missing id:base64 back into SECRET_KEYS",
        )
    finally:
        await database.close()
    return Finding("keys", ok=True, seen=f"{count} signing, {len(settings.secret_keys)} secret")


async def _roles(settings: Settings) -> Finding:
    worker = settings.worker_database_url or settings.database_url
    try:
        await (await _open(settings, worker)).close()
    except Unavailable as problem:
        cure = "check WORKER_DATABASE_URL"
        return Finding("roles", ok=False, seen=f"the workers': {problem.message}", cure=cure)
    if worker == settings.database_url:
        return Finding(
            "roles",
            ok=True,
            seen="one role for everything; the audit trail is safer with three",
            cure="set WORKER_DATABASE_URL and MIGRATION_DATABASE_URL",
        )
    return Finding("roles", ok=True, seen="separate")


async def _open(settings: Settings, url: str = "") -> Database:
    return await Database.open(
        url or settings.database_url,
        keys=settings.keyring,
        metrics=Metrics(),
        name="check",
        pool_size=1,
    )


def _milliseconds(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.1f} ms"
