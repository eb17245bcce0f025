"""How passwords are hashed and verified, foreign hashes among them, and what a failure costs."""

import asyncio
from collections.abc import Iterator
from typing import Any

import bcrypt
import pytest
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from api.parts import Parts
from api.passwords.hasher import Cost, Hasher, HasherBusy
from api.passwords.schemes import UnsupportedHash, scheme_named, scheme_of
from ops.metrics import Metrics
from tests.api.foreign_hashes import argon2_hash, bcrypt_hash, django_hash, foreign
from tests.factories import CHEAP, PASSWORD

OWN = "$argon2id$v=19$m=64,t=1,p=1"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def hasher(metrics: Metrics) -> Iterator[Hasher]:
    made = Hasher(metrics, slots=2, cost=CHEAP)
    yield made
    made.close()


def work(metrics: Metrics) -> dict[str, int]:
    """Return how many verifications were done, by kind."""
    return {
        sample.labels["op"]: int(sample.value)
        for metric in metrics.registry.collect()
        if metric.name == "ostiary_password_hash_seconds"
        for sample in metric.samples
        if sample.name.endswith("_count") and sample.labels["op"] != "hash"
    }


async def test_the_default_is_owasps_first_choice_and_current(metrics: Metrics) -> None:
    hasher = Hasher(metrics, slots=1)

    stored = await hasher.hash(PASSWORD)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.is_outdated(stored) is False
    assert await hasher.verify(PASSWORD, stored) is True
    assert await hasher.verify(PASSWORD + "x", stored) is False
    hasher.close()


@pytest.mark.parametrize("kind", foreign("x"))
async def test_foreign_hashes_are_verified_and_outdated(hasher: Hasher, kind: str) -> None:
    password = "Gr\u00fcne-H\u00fcgel-9"
    stored = foreign(password)[kind]

    assert await hasher.verify(password, stored) is True
    assert await hasher.verify(password + "x", stored) is False
    assert await hasher.verify("", stored) is False
    assert hasher.is_outdated(stored) is True


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        # The known answers of crypt_blowfish and of Django.
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        (
            "l\u00e8tmein",
            "pbkdf2_sha256$10000$seasalt$CWWFdHOWwPnki7HvkcqN9iA2T3KLW1cf2uZ5kvArtVY=",
        ),
    ],
)
async def test_vectors_that_others_published_verify(
    hasher: Hasher, password: str, stored: str
) -> None:
    assert await hasher.verify(password, stored) is True


async def test_bcrypt_reads_72_bytes_and_nothing_after_nul(hasher: Hasher) -> None:
    long = "\u00fc" * 35 + "xy\u00fc and more that was never read"  # byte 72 ends in a letter
    stored = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()

    assert await hasher.verify(long, stored) is True
    assert await hasher.verify(long[:37], stored) is True
    assert await hasher.verify(long[:36], stored) is False
    assert await hasher.verify("a\0b", bcrypt_hash("a")) is False
    assert await hasher.verify("a\0b", bcrypt_hash("a\0b")) is False


BEYOND = {
    "bcrypt of cost 16": "$2b$16$" + "." * 53,
    "bcrypt of cost 31": "$2b$31$" + "." * 53,
    "bcrypt of cost 3": "$2b$03$" + "." * 53,
    "the broken bcrypt": "$2x$04$" + "." * 53,
    "512 MiB": f"$argon2id$v=19$m=524288,t=1,p=1${'a' * 22}${'A' * 43}",
    "11 passes": f"$argon2id$v=19$m=64,t=11,p=1${'a' * 21}A${'A' * 43}",
    "17 lanes": f"$argon2id$v=19$m=1024,t=1,p=17${'a' * 21}A${'A' * 43}",
    "less memory than lanes need": f"$argon2id$v=19$m=8,t=1,p=2${'a' * 21}A${'A' * 43}",
    "2,000,001 iterations": f"pbkdf2_sha256$2000001$salt${'A' * 43}=",
    "a digest of twice the work": f"pbkdf2_sha256$1000$salt${'A' * 86}",
    "sha1": f"pbkdf2_sha1$1000$salt${'A' * 43}=",
    "stray bits": f"$argon2id$v=19$m=64,t=1,p=1${'a' * 22}${'B' * 43}",
    "scrypt": f"$scrypt$ln=16,r=8,p=1${'a' * 21}A${'A' * 43}",
    "plain text": "Correct-Horse-9",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "nothing": "",
    "500 KB": "$2b$04$" + "." * 500_000,
    "digits of another script": "$2b$\u0660\u0664$" + "." * 53,
    "a salt that is no base64": f"$pbkdf2-sha256$1000$\u00fc\u00fc\u00fc\u00fc${'A' * 43}",
    "a line more": "$2b$04$" + "." * 53 + "\n",
}


@pytest.mark.parametrize("kind", BEYOND)
async def test_hashes_unknown_malformed_or_too_costly_never_verify_and_are_refused_early(
    hasher: Hasher, metrics: Metrics, kind: str
) -> None:
    assert await hasher.verify("Correct-Horse-9", BEYOND[kind]) is False

    assert hasher.is_outdated(BEYOND[kind]) is True
    assert hasher.schemes == (OWN,)
    assert work(metrics) == {"verify": 1}
    with pytest.raises(UnsupportedHash):
        scheme_of(BEYOND[kind])


@st.composite
def broken_hashes(draw: st.DrawFn) -> str:
    """Give real hashes with some characters changed, lost or put in."""
    stored = draw(st.sampled_from(sorted(_REAL.values())))
    start = draw(st.integers(0, len(stored)))
    stop = draw(st.integers(start, min(len(stored), start + 3)))
    return stored[:start] + draw(st.text("$,=.A/9\0\u00fc", max_size=3)) + stored[stop:]


_REAL = foreign(PASSWORD) | {"own": argon2_hash(PASSWORD, Type.ID)}


@given(st.one_of(st.text(), broken_hashes()))
def test_whatever_is_read_as_a_hash_can_be_verified_and_the_rest_is_refused(stored: str) -> None:
    try:
        scheme = scheme_of(stored)
    except UnsupportedHash:
        return

    assert stored.startswith(scheme.name)
    # Only cheap ones are tried: a changed cost may be within the caps and still take a second.
    if scheme.weight < 10:
        assert scheme.matches("some other password", stored) is False


@pytest.mark.parametrize("kind", foreign("x"))
def test_a_decoy_is_a_hash_of_its_scheme_that_no_password_has(kind: str) -> None:
    scheme = scheme_of(_REAL[kind])

    decoys = [scheme.decoy() for _ in range(50)]

    assert {scheme_of(decoy) for decoy in decoys} == {scheme}
    assert len(set(decoys)) == 50
    assert scheme.matches(PASSWORD, decoys[0]) is False
    assert len(decoys[0]) >= 53


async def test_with_one_scheme_every_failure_is_one_verification(
    hasher: Hasher, metrics: Metrics
) -> None:
    own = await hasher.hash(PASSWORD)

    for stored in (None, own):
        before = work(metrics).get("verify", 0)
        assert await hasher.verify("wrong", stored) is False
        assert work(metrics) == {"verify": before + 1}


async def test_a_failure_does_the_work_of_every_scheme_in_force_once_whoever_it_is_about(
    hasher: Hasher, metrics: Metrics
) -> None:
    people = [
        None,
        "not a hash",
        await hasher.hash(PASSWORD),
        bcrypt_hash(PASSWORD),
        django_hash(PASSWORD),
        argon2_hash(PASSWORD, Type.I),
    ]
    hasher.schemes_in_force(["$2b$04", "pbkdf2_sha256$1000", "$argon2i$v=19$m=32,t=2,p=2", OWN])

    for number, stored in enumerate(people, 1):
        assert await hasher.verify("wrong", stored) is False
        assert work(metrics) == dict.fromkeys(
            ["verify", "verify bcrypt", "verify pbkdf2", "verify argon2"], number
        )


async def test_the_right_password_does_no_other_work(hasher: Hasher, metrics: Metrics) -> None:
    hasher.schemes_in_force(["$2b$04", "pbkdf2_sha256$1000"])

    assert await hasher.verify(PASSWORD, bcrypt_hash(PASSWORD)) is True

    assert work(metrics) == {"verify bcrypt": 1}


async def test_a_scheme_met_first_in_a_sign_in_is_in_force_from_then_on(
    hasher: Hasher, metrics: Metrics
) -> None:
    assert await hasher.verify("wrong", django_hash(PASSWORD)) is False

    assert await hasher.verify("wrong", None) is False

    assert hasher.schemes == (OWN, "pbkdf2_sha256$1000")
    assert work(metrics) == {"verify": 2, "verify pbkdf2": 2}


async def test_schemes_in_force_are_replaced_and_the_own_one_always_stays(hasher: Hasher) -> None:
    hasher.schemes_in_force(["$2b$10", "$2y$05"])
    first = hasher.schemes
    hasher.schemes_in_force([])

    assert first == (OWN, "$2b$10", "$2y$05")
    assert hasher.schemes == (OWN,)


async def test_the_eight_costliest_foreign_schemes_are_kept_and_unreadable_ones_passed_over(
    hasher: Hasher,
) -> None:
    names = [f"$2b${cost:02}" for cost in range(4, 18)]

    hasher.schemes_in_force([*names, "md5", "", "$argon2id$v=19$m=999999,t=1,p=1"])

    assert hasher.schemes == (OWN, *(f"$2b${cost:02}" for cost in range(15, 7, -1)))


async def test_the_database_names_schemes_as_the_hasher_does(
    parts: Parts, clean: None, owner: Any
) -> None:
    hashes = [*foreign(PASSWORD).values(), argon2_hash(PASSWORD, Type.ID)]
    for number, stored in enumerate([*hashes, None]):
        await owner.execute(
            "INSERT INTO users (id, email, password_hash, first_name, last_name)"
            " VALUES (gen_random_uuid(), $1, $2, 'Ada', 'Lovelace')",
            f"person{number}@example.com",
            stored,
        )

    async with parts.database.reading() as storage:
        found = await storage.users.password_schemes()

    assert len(found) == len(set(found))
    assert {scheme_named(name).name for name in found} == {scheme_of(one).name for one in hashes}


async def test_who_cannot_get_a_slot_in_time_is_told_when_to_try_again(metrics: Metrics) -> None:
    hasher = Hasher(metrics, slots=1, cost=Cost(memory=19_456, passes=2))
    slow = bcrypt_hash(PASSWORD, cost=14)

    asked = [asyncio.create_task(hasher.verify(PASSWORD, slow)) for _ in range(6)]
    found = await asyncio.gather(*asked, return_exceptions=True)

    busy = [problem for problem in found if isinstance(problem, HasherBusy)]
    assert found[0] is True
    assert busy
    assert busy[0].retry_after == 2
    assert busy[0].code == "SERVICE_UNAVAILABLE"
    hasher.close()
