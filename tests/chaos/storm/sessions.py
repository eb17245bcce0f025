"""Whether sessions are what their people were told: the last token works, an ended one never."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from tests.chaos.storm.client import Ask, Client, Doubtful
from tests.chaos.storm.found import Found
from tests.chaos.storm.judge import Finding
from tests.chaos.storm.ledger import Deed, Ledger, Login


async def sessions_are_as_told(
    client: Client, ledger: Ledger, found: Found, *, most: int
) -> list[Finding]:
    """Find sessions whose last token is refused, ended ones that go on, passwords that are not.

    At most `most` of each kind, the newest ones.
    """
    live = [login for login in ledger.logins if login.is_live][-most:]
    ended = [login for login in ledger.logins if not login.is_live][-most:]
    findings = [await _goes_on(client, login, ledger, found) for login in live]
    findings += [await _is_over(client, login) for login in ended]
    chosen = [(who, known[0]) for who, known in ledger.passwords.items() if len(known) == 1]
    certain = [
        (email, password)
        for email, password in chosen[-most:]
        if ledger.row("user", email).is_certain
    ]
    findings += [await _signs_in(client, *one) for one in certain]
    faults = [Finding(fault) for fault in client.ledger.faults]
    return faults + [finding for finding in findings if finding]


def merged(deeds: Sequence[Deed], whose: str) -> Deed:
    """Return all of somebody's deeds as one, to be told in their order."""
    theirs = [deed for deed in deeds if deed.whose == whose]
    attempts = [
        replace(attempt, answer=f"{attempt.answer} ({deed.what})")
        for deed in theirs
        for attempt in deed.attempts
    ]
    return Deed("everything", whose, attempts=attempts)


async def _goes_on(client: Client, login: Login, ledger: Ledger, found: Found) -> Finding | None:
    status, data = await _posted(client, "refresh", refreshToken=login.refresh_token)
    if status != HTTPStatus.OK:
        told = f"the last refresh token of {login.whose} is refused: {status}, rests: {login.rests}"
        told += f", sessions: {found.sessions.get(login.whose)}"
        return Finding(told, merged(ledger.deeds, login.whose))
    login.refresh_token, login.access_token = data["refreshToken"], data["accessToken"]
    login.rests = False
    return None


async def _is_over(client: Client, login: Login) -> Finding | None:
    status, _ = await _posted(client, "refresh", refreshToken=login.refresh_token)
    ask = Ask(method="GET", path="/auth/me", token=login.access_token)
    used = await client.does_once(Deed("use", login.whose), ask, also=(HTTPStatus.UNAUTHORIZED,))
    if {status, used.status} == {HTTPStatus.UNAUTHORIZED}:
        return None
    return Finding(f"an ended session of {login.whose} goes on: {status}, {used.status}")


async def _signs_in(client: Client, email: str, password: str) -> Finding | None:
    status, _ = await _posted(client, "login", email=email, password=password)
    if status == HTTPStatus.OK:
        return None
    return Finding(f"{email} does not come in with the password that was acknowledged: {status}")


async def _posted(client: Client, what: str, **body: str) -> tuple[int, dict[str, str]]:
    """Ask once, twice if the answer was lost; return the status and what was given."""
    ask = Ask(method="POST", path=f"/auth/{what}", body=dict(body))
    refusals: Sequence[int] = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    try:
        answer = await client.does_once(Deed(what, "judge"), ask, also=tuple(refusals))
    except Doubtful:
        answer = await client.does_once(Deed(what, "judge"), ask, also=tuple(refusals))
    return answer.status, answer.data or {}
