"""Search of the audit trail: what filters find, in which order, by which index."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from ops.ids import new_id
from storage.audit import Outcome
from storage.ledger.batches import batches
from storage.ledger.records import Actions, EventNotFound
from storage.ledger.search import Place, _Trail, sealed_batch, waiting_batch
from storage.pages import Cursor, Window
from tests.storage.trail import found, generate, note, seal, walked
from workers.toolbox import Tools

FILTERS: dict[str, Any] = {
    "subject": new_id(),
    "actor": new_id(),
    "action": Actions(("user.created",), ()),
    "outcome": "denied",
    "address": "203.0.113.9",
    "requestId": "req_1",
    "actorKind": "system",
    "sealed": True,
}
ACTIONS = ["user.created", "user.created,user.deleted", "user.*", "user.*,team.*", "a.b,c.*"]


async def test_sealed_and_waiting_events_are_one_list_in_order_of_time(tools: Tools) -> None:
    await note(tools.database, "one.noted", "two.noted")
    await seal(tools.database)
    await note(tools.database, "three.noted")

    newest = await found(tools.database)
    oldest = await found(tools.database, descending=False)

    assert [event.action for event in oldest] == ["one.noted", "two.noted", "three.noted"]
    assert [event.id for event in newest] == [event.id for event in reversed(oldest)]
    assert [event.sequence for event in oldest] == [1, 2, None]
    assert {event.address for event in oldest} == {"203.0.113.9"}
    assert [event.sealed for event in oldest] == [True, True, False]


@pytest.mark.parametrize("sealing", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "mine"),
        ("actor", "mine"),
        ("action", Actions.read("user.suspended")),
        ("action", Actions.read("user.suspended,user.restored")),
        ("action", Actions.read("user.*")),
        ("action", Actions.read("user.*,role.*")),
        ("action", Actions.read("user.suspended,role.*")),
        ("outcome", "denied"),
        ("address", "198.51.100.7"),
        ("requestId", "req_mine"),
        ("actorKind", "user"),
    ],
)
async def test_a_filter_finds_what_it_is_for_and_nothing_else(
    tools: Tools, name: str, value: Any, sealing: Any
) -> None:
    mine = new_id()
    async with tools.database.transaction() as storage:
        await storage.audit.note("team.changed", subject=new_id())
    await note(
        tools.database,
        "user.suspended",
        actor=mine,
        address="198.51.100.7",
        request_id="req_mine",
        subject=mine,
        outcome=Outcome.DENIED,
    )
    if sealing:
        await seal(tools.database)

    events = await found(tools.database, filters={name: mine if value == "mine" else value})

    assert [event.action for event in events] == ["user.suspended"]


async def test_a_kind_of_action_is_not_what_merely_begins_like_it(tools: Tools) -> None:
    await note(tools.database, "user.created", "users.listed", "user_x.created")

    events = await found(tools.database, filters={"action": Actions.read("user.*")})

    assert [event.action for event in events] == ["user.created"]


@pytest.mark.parametrize("text", ["", "user", "user.", ".*", "*.created", "*", "user.*.x", "a.b,"])
def test_what_is_no_action_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"user\.created"):
        Actions.read(text)


async def test_dates_bound_what_is_found_to_the_microsecond(tools: Tools) -> None:
    await note(tools.database, "user.created", "user.changed", "user.deleted")
    times = [event.happened_at for event in await found(tools.database, descending=False)]
    await seal(tools.database)

    since = await found(tools.database, since=times[1])
    until = await found(tools.database, until=times[1])
    never = await found(tools.database, since=datetime.max.replace(tzinfo=UTC))
    ever = await found(tools.database, since=datetime.min.replace(tzinfo=UTC))

    assert [event.action for event in since] == ["user.deleted", "user.changed"]
    assert [event.action for event in until] == ["user.created"]
    assert (len(never), len(ever)) == (0, 3)


async def test_an_address_that_was_erased_is_neither_shown_nor_found(
    tools: Tools, owner: Any
) -> None:
    await note(tools.database, "user.created")
    await seal(tools.database)

    await owner.execute("DELETE FROM audit_personal")

    assert [event.address for event in await found(tools.database)] == [None]
    assert await found(tools.database, filters={"address": "203.0.113.9"}) == []


async def test_totals_are_exact_while_they_are_cheap(tools: Tools) -> None:
    await note(tools.database, *["user.created"] * 150)
    await seal(tools.database)
    await note(tools.database, *["user.created"] * 100)
    kind = {"action": Actions.read("user.created")}

    async with tools.database.transaction() as storage:
        all_ = await storage.trail.page(Window(sort="time", limit=10))
        some = await storage.trail.page(Window(sort="time", limit=10, filters=kind))

    assert (all_.total, all_.total_is_exact) == (250, True)
    assert (some.total, some.total_is_exact) == (200, False)


async def test_pages_of_both_tables_follow_each_other(tools: Tools) -> None:
    await note(tools.database, *["user.created"] * 15)
    await seal(tools.database)
    await note(tools.database, *["user.created"] * 15)

    pages = [await found(tools.database, offset=start, limit=7) for start in range(0, 35, 7)]

    ids = [event.id for page in pages for event in page]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 30


@pytest.mark.parametrize("descending", [True, False])
async def test_whoever_walks_while_events_are_sealed_meets_each_exactly_once(
    tools: Tools, owner: Any, descending: Any
) -> None:
    for _ in range(4):
        await note(tools.database, *["user.created"] * 50)
    rows = await owner.fetch("SELECT id FROM audit_inbox")
    there = {row["id"] for row in rows}
    walks: list[list[Any]] = []

    async def walk() -> None:
        for size in (2, 7, 20):
            ids = await walked(tools.database, descending=descending, limit=size)
            walks.append(ids)

    async def seal_slowly() -> None:
        while await seal(tools.database, limit=3):
            pass

    await asyncio.gather(walk(), seal_slowly())

    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 0
    for ids in walks:
        assert len(ids) == len(set(ids)) == 200
        assert {str(item) for item in ids} == {str(item) for item in there}


async def test_one_event_is_found_by_id_wherever_it_is(tools: Tools) -> None:
    await note(tools.database, "user.created", count=1)
    (event,) = await found(tools.database)

    async with tools.database.reading() as storage:
        waiting = await storage.trail.by_id(event.id)
    await seal(tools.database)
    async with tools.database.reading() as storage:
        sealed = await storage.trail.by_id(event.id)
        with pytest.raises(EventNotFound):
            await storage.trail.by_id(new_id())

    assert (waiting.link, waiting.facts, waiting.version) == (None, {"count": 1}, 1)
    assert sealed.link
    assert sealed.link.row.hash == sealed.link.hash
    assert (sealed.sequence, sealed.facts, sealed.version) == (1, {"count": 1}, 2)


async def test_an_export_walks_the_chain_in_its_order_and_only_what_was_there(
    tools: Tools,
) -> None:
    await note(tools.database, *["user.created"] * 1_200)
    await seal(tools.database, limit=700)
    await seal(tools.database, limit=700)
    await note(tools.database, "user.deleted")

    rows = []
    async for batch in batches(tools.database, Window(offset=None)):
        rows += batch
        await note(tools.database, "user.deleted")
        await seal(tools.database)
    some = [
        row
        async for batch in batches(
            tools.database, Window(filters={"action": Actions.read("user.deleted")})
        )
        for row in batch
    ]

    assert [row["sequence"] for row in rows] == list(range(1, 1_201))
    assert {row["action"] for row in some} == {"user.deleted"}


async def test_an_export_of_what_waits_has_all_of_it(tools: Tools) -> None:
    await note(tools.database, "user.created")
    await seal(tools.database)
    await note(tools.database, *["user.changed"] * 1_500)

    window = Window(filters={"sealed": False})
    rows = [row async for batch in batches(tools.database, window) for row in batch]

    assert [row["action"] for row in rows] == ["user.changed"] * 1_500
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def windows() -> list[Window]:
    """Return every order with every pair of filters, every kind of action, times and a cursor."""
    now = datetime.now(UTC)
    chosen = [{}, *({name: value} for name, value in FILTERS.items())]
    chosen += [dict(pair) for pair in combinations(FILTERS.items(), 2)]
    chosen += [{"action": Actions.read(text)} for text in ACTIONS]
    chosen += [{"sealed": False}, {"sealed": False, "address": "203.0.113.9"}, FILTERS]
    return [
        Window(sort="time", descending=descending, filters=filters, offset=None, **more)
        for filters in chosen
        for descending in (True, False)
        for more in (
            {},
            {"after": Cursor("", new_id())},
            {"since": now, "until": now + timedelta(days=1)},
        )
    ]


async def test_every_statement_prepares_as_the_role_that_uses_it(tools: Tools) -> None:
    place = Place(0, datetime.now(UTC), new_id())

    async with tools.database.reading() as storage:
        for window in windows():
            waiting = replace(window, filters={**window.filters, "sealed": False})
            for text, args in (
                _Trail().page(window),
                _Trail().count(window),
                sealed_batch(window, place, through=1, limit=1),
                waiting_batch(waiting, place, through=new_id(), limit=1),
            ):
                statement = await storage._connection.prepare(text)
                assert len(statement.get_parameters()) == len(args)


INDEXES = [
    ({}, "_id_idx"),
    ({"subject": UUID(int=7)}, "_subject_id_id_idx"),
    ({"actor": UUID(int=7)}, "_actor_id_id_idx"),
    ({"action": Actions.read("rare.done")}, "_action_id_idx"),
    ({"action": Actions.read("rare.done,odd.done")}, "_action_id_idx"),
    ({"action": Actions.read("rare.*")}, "_split_part_id_idx"),
    ({"outcome": "denied"}, "_outcome_id_idx"),
    ({"actorKind": "system"}, "_actor_kind_id_idx"),
    ({"requestId": "req_7"}, "_request_id_id_idx"),
    ({"address": "198.51.100.7"}, "audit_personal_address"),
]


async def test_what_is_rare_is_found_by_an_index_of_its_own(owner: Any, clean: None) -> None:
    change = owner.transaction()
    await change.start()
    await generate(owner, 20_000)

    plans = {}
    for filters, index in INDEXES:
        text, args = _Trail().page(Window(sort="time", filters=filters, offset=None))
        plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN {text}", *args))
        plans[index, str(filters)] = plan
    await change.rollback()

    for (index, filters), plan in plans.items():
        assert index in plan, (filters, plan)
