"""The capacity model: what a demand needs, what it refuses, and that rows take what it says."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ops.capacity import Demand, DemandInvalid, Plan, plan
from ops.capacity.costs import COSTS, VERIFY_SECONDS, Work
from ops.capacity.demand import LETTER_MIX, REQUEST_MIX
from ops.capacity.tables import BYTES
from ops.procfile import read
from ops.settings import load
from storage.jobs import VerifyAudit, queues
from storage.seed.run import Wish, seed
from tests.commands import Run, run
from tests.conftest import MakeSettings, Serve
from tests.factories import register
from tests.nursery import Forking
from tests.own_database import own_database

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scaling.md"
PROCFILE = read(ROOT / "Procfile")
DEMAND = Demand(users=1_000_000, logins_per_day=200_000, letters_per_day=50_000, machine_cores=8)
_DEMANDS = re.compile(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|.*\|$", re.MULTILINE)
_PEOPLE = 200
_SIZE = "SELECT pg_total_relation_size($1::text::regclass)"


def planned(tmp_path: Path, demand: Demand = DEMAND, **settings: str) -> Plan:
    return plan(demand, load(settings, directory=tmp_path), procfile=PROCFILE)


@pytest.fixture
def command(forking: Forking, tmp_path: Path) -> Run:
    """Run `python -m ops capacity` where no .env lies."""
    return partial(run, forking, "ops", "capacity", environ={}, folder=tmp_path)


async def test_the_example_of_the_page_is_what_the_command_prints(command: Run) -> None:
    page = re.search(r"\$ python -m ops capacity (.*)\n\n((?:.+\n|\n)*?)```", PAGE.read_text())
    assert page

    code, said, complained = await command(*page[1].split())

    assert (code, complained) == (0, "")
    assert said == page[2]


def test_the_sizes_of_the_page_are_those_of_the_model(tmp_path: Path) -> None:
    said = re.findall(
        r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|.*\|$", PAGE.read_text(), re.MULTILINE
    )
    demands = [
        Demand(users=users, logins_per_day=logins, letters_per_day=letters)
        for users, logins, letters in (_numbers(each) for each in said)
    ]

    assert len(demands) >= 4
    for demand in demands:
        assert _size_row(demand, planned(tmp_path, demand)) in PAGE.read_text()


def _numbers(cells: tuple[str, ...]) -> list[int]:
    return [int(cell.replace(",", "")) for cell in cells]


def _size_row(demand: Demand, found: Plan) -> str:
    """Return what the page says of a demand; a failing test prints it."""
    asked = (demand.users, demand.logins_per_day, demand.letters_per_day)
    tables = {each.name: each.bytes for each in found.tables}
    trail = tables.pop("audit_ledger") + tables.pop("audit_personal")
    processes = f"{found.processes['web']} web, {found.processes['emails']} emails"
    disk = (sum(tables.values()), trail, found.wal_a_day)
    cells = [
        *(f"{count:,}" for count in asked),
        f"{found.cores_needed}",
        processes,
        f"{found.connections}",
        *(f"{count / 1e9:,.1f}" for count in disk),
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"users": -1}, "--users: from 0 to"),
        ({"logins_per_day": -1}, "--logins-per-day: from 0 to"),
        ({"letters_per_day": 10**11}, "--letters-per-day: from 0 to"),
        ({"requests_per_second": float("nan")}, "--requests-per-second: from 0 to"),
        ({"requests_per_second": -0.5}, "--requests-per-second: from 0 to"),
        ({"peak_factor": 0.5}, "--peak-factor: from 1"),
        ({"peak_factor": float("nan")}, "--peak-factor: from 1"),
        ({"core_speed": 0}, "--core-speed: from 0.01"),
        ({"machine_cores": 0}, "--cores: 1 or more"),
    ],
)
def test_a_demand_that_cannot_be_is_refused_by_its_name(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(DemandInvalid, match=told):
        replace(DEMAND, **wrong)


@pytest.mark.parametrize("users", ["-1", "many"])
async def test_the_command_tells_what_is_wrong_and_ends_with_2(command: Run, users: str) -> None:
    others = ("--logins-per-day", "1", "--letters-per-day", "1")

    code, said, complained = await command("--users", users, *others)

    assert (code, said) == (2, "")
    assert "--users: " in complained
    assert "Traceback" not in complained


@pytest.mark.parametrize(
    "more",
    [
        {"users": 5_000_000},
        {"logins_per_day": 2_000_000},
        {"letters_per_day": 5_000_000},
        {"requests_per_second": 20_000.0},
        {"peak_factor": 40.0},
        {"core_speed": 0.3},
    ],
    ids=str,
)
def test_who_asks_for_more_never_needs_less(tmp_path: Path, more: dict[str, Any]) -> None:
    before, after = planned(tmp_path), planned(tmp_path, replace(DEMAND, **more))

    assert all(after.cores[part] >= before.cores[part] for part in before.cores)
    assert all(after.processes[name] >= before.processes[name] for name in before.processes)
    assert after.hash_slots >= before.hash_slots
    assert after.connections >= before.connections
    assert after.redis_bytes >= before.redis_bytes
    assert sum(t.bytes for t in after.tables) >= sum(t.bytes for t in before.tables)
    assert after != before


def test_nobody_at_all_needs_one_process_of_each_line(tmp_path: Path) -> None:
    nobody = Demand(users=0, logins_per_day=0, letters_per_day=0)

    found = planned(tmp_path, nobody)

    assert found.processes == {each.name: 1 for each in PROCFILE if each.name != "release"}
    assert found.cores_needed == 1
    assert sum(table.bytes for table in found.tables) == 0


def test_cores_twice_as_fast_are_needed_half_as_much(tmp_path: Path) -> None:
    slow, fast = planned(tmp_path), planned(tmp_path, replace(DEMAND, core_speed=2))

    assert fast.cores == pytest.approx({part: busy / 2 for part, busy in slow.cores.items()})


def test_a_million_letters_at_once_need_workers_that_send_while_others_wait(
    tmp_path: Path,
) -> None:
    newsletter = replace(DEMAND, letters_per_day=1_000_000)

    found = planned(tmp_path, newsletter)

    # 115.7 a second at the peak, 0.5 s each: 80 % of them through 8 threads a process, 60 % busy.
    assert found.processes["emails"] == 10
    assert found.processes["sessions"] == 1


@pytest.mark.parametrize(
    ("setting", "value", "table"),
    [
        ("OUTBOX_RETENTION", "30d", "outbox"),
        ("LETTER_RETENTION", "180d", "letters"),
        ("AUDIT_RETENTION", "800d", "audit_ledger"),
        ("REFRESH_TOKEN_TTL", "30d", "sessions"),
    ],
)
def test_what_is_kept_longer_takes_more(
    tmp_path: Path, setting: str, value: str, table: str
) -> None:
    before = {each.name: each.bytes for each in planned(tmp_path).tables}

    after = {each.name: each.bytes for each in planned(tmp_path, **{setting: value}).tables}

    assert after[table] > 1.5 * before[table]


def test_the_nearest_limit_is_told_first(tmp_path: Path) -> None:
    def first(demand: Demand, **settings: str) -> str:
        return planned(tmp_path, demand, **settings).limits[0].name

    wide = replace(DEMAND, machine_cores=1_000)

    assert first(DEMAND) == "the daily verification of the audit trail"
    assert first(DEMAND, AUDIT_RETENTION="60d") == "cores"
    assert first(wide, AUDIT_RETENTION="30d") == "connections of PostgreSQL"
    assert first(wide, AUDIT_RETENTION="1d", DB_POOL_SIZE="2") == "commits to PostgreSQL's disk"


def test_the_walk_over_the_audit_trail_may_take_what_its_job_may() -> None:
    assert VerifyAudit.time_limit == VERIFY_SECONDS


def test_every_kind_of_work_has_its_cost_and_every_share_its_queue() -> None:
    assert set(COSTS) == set(Work)
    assert sum(REQUEST_MIX.values()) == pytest.approx(1)
    assert sum(LETTER_MIX.values()) == pytest.approx(1)
    assert set(LETTER_MIX) <= set(queues())


async def test_people_who_were_seeded_take_what_the_model_says(
    home: Path, make_settings: MakeSettings
) -> None:
    async with own_database(home, make_settings, "capacity") as room:
        before = await _sizes(room.owner)
        wish = Wish(names=("users",), users=20_000)
        await seed(make_settings(**room.urls), wish, lambda *_: None)
        after = await _sizes(room.owner)

    for name in ("users", "user_last_logins", "user_changes", "user_roles"):
        assert (after[name] - before[name]) / 20_000 == pytest.approx(BYTES[name], rel=0.35)


async def test_people_who_signed_up_leave_what_the_model_says(
    home: Path, make_settings: MakeSettings, serve: Serve
) -> None:
    async with own_database(home, make_settings, "capacity") as room:
        before = await _sizes(room.owner)
        api = await serve(**room.urls, rate_limit_anonymous="off")
        # One by one: who waits for each other's page takes several.
        for _ in range(_PEOPLE):
            await register(api)
        after = await _sizes(room.owner)

    # The row of a job is changed four times until it is done, and nobody does these.
    for name in ("devices", "sessions"):
        assert (after[name] - before[name]) / _PEOPLE == pytest.approx(BYTES[name], rel=0.4)


async def _sizes(owner: Any) -> dict[str, int]:
    return {name: await owner.fetchval(_SIZE, name) for name in BYTES}
