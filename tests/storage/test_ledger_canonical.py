"""The canonical form is RFC 8785's for all that can stand in facts; all else is refused."""

import dataclasses
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.ledger.chain import Sealed, check_facts
from workers.toolbox import Tools

# RFC 8785, section 3.2.2.2: these have letters, other controls are numbers, the rest is literal.
_LETTERS = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}

_ROW = Sealed(
    sequence=1,
    id=UUID(int=7),
    action="user.changed",
    outcome="success",
    actor_kind="user",
    actor_id=None,
    subject_id=UUID(int=8),
    request_id='"\u20ac\x1f',
    facts={},
    happened_at=datetime(2026, 11, 21, 14, 0, 0, 0, UTC),
    sealed_at=datetime(2026, 11, 21, 14, 0, 1, 5, UTC),
    personal_hash=bytes(32),
    previous_hash=bytes(32),
)

_NAMES = st.text(st.characters(max_codepoint=127), max_size=20)
_VALUES = st.one_of(st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=40))
_FACTS = st.dictionaries(_NAMES, _VALUES, max_size=8)


def rfc_8785(value: Any) -> str:
    """Write JSON as the RFC says; of numbers only whole ones that a double holds."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        assert float(value) == value
        return str(value)
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return f"{{{','.join(f'{rfc_8785(name)}:{rfc_8785(value[name])}' for name in names)}}}"


def _escaped(character: str) -> str:
    code = ord(character)
    return _LETTERS.get(code) or (f"\\u{code:04x}" if code < 32 else character)


@given(_FACTS)
@example({"b": "\u20ac\r\n\x7f\x80\ufb33\U0001f600\u2028", "B": 2**53 - 1, "a_": True, "aB": 0})
def test_the_canonical_form_is_that_of_the_rfc(facts: dict[str, Any]) -> None:
    row = dataclasses.replace(_ROW, facts=facts)

    assert row.canonical() == rfc_8785(row.shown()).encode()


@given(st.dictionaries(st.text(max_size=10), st.one_of(_VALUES, st.floats(), st.none())))
def test_facts_are_accepted_only_if_their_canonical_form_is_that_of_the_rfc(
    facts: dict[str, Any],
) -> None:
    try:
        check_facts(facts)
    except ValueError:
        return
    row = dataclasses.replace(_ROW, facts=facts)
    assert row.canonical() == rfc_8785(row.shown()).encode()


@pytest.mark.parametrize(
    "facts",
    [
        {"number": 2**53},
        {"number": -(2**53)},
        {"number": 1.5},
        {"number": 1.0},
        {"text": "\ud800"},
        {"text": "a\0b"},
        {"a\0b": "text"},
        {"nothing": None},
        {"list": [1]},
        {"\ue000": 1, "\U0001f600": 2},
    ],
    ids=repr,
)
async def test_facts_that_have_no_one_form_are_refused_when_noted(
    tools: Tools, owner: Any, facts: dict[str, Any]
) -> None:
    async with tools.database.transaction() as storage:
        with pytest.raises(ValueError, match="fact"):
            await storage.audit.note("user.changed", **facts)

    assert await owner.fetchval("SELECT count(*) FROM audit_inbox") == 0


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_FACTS, min_size=5, max_size=15))
async def test_what_postgresql_gives_back_has_the_form_that_was_sealed(
    owner: Any, tools: Tools, many: list[dict[str, Any]]
) -> None:
    kept = []
    for facts in many:
        try:
            check_facts(facts)
        except ValueError:  # a NUL
            continue
        kept.append(facts)

    async with tools.database.reading() as storage:
        back = await storage.ledger._connection.fetchval("SELECT $1::jsonb", kept)

    for facts, same in zip(kept, back, strict=True):
        one, other = (dataclasses.replace(_ROW, facts=item) for item in (facts, same))
        assert one.canonical() == other.canonical()
