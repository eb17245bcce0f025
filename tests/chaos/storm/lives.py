"""What people do while the storm goes on: register, change themselves, write, forget, come back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.chaos.storm.client import Ask, Client, Doubtful, Refused
from tests.chaos.storm.ledger import Deed, Ledger, Login
from tests.chaos.storm.post import MoodySink

_GONE = (HTTPStatus.UNAUTHORIZED,)
_STALE = (HTTPStatus.PRECONDITION_FAILED,)
_SPENT = (HTTPStatus.BAD_REQUEST,)
_LETTER_SECONDS = 12


def in_letters(number: int) -> str:
    """Write a number as a name may be written."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04d}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value of one row to be changed, by whoever has seen its present version."""

    event: str
    method: str
    path: str
    body: dict[str, Any]
    table: str
    key: str
    column: str
    # The name of the value on the wire.
    name: str


async def change(client: Client, token: str, whose: str, wanted: Change) -> None:
    """Change a value; who gets no answer looks whether it was done. Raises Doubtful."""
    seen = await client.looks(wanted.path, token)
    row = client.ledger.row(wanted.table, wanted.key)
    value = str(wanted.body[wanted.name])
    row.values.setdefault(wanted.column, {str(seen.data[wanted.name])})
    row.may_be(wanted.column, value)
    deed = Deed(wanted.event, whose, events=(wanted.event,))
    ask = Ask(
        method=wanted.method,
        path=wanted.path,
        body=wanted.body,
        token=token,
        seen=seen.etag,
    )
    answer = await client.does(deed, ask, also=_STALE)
    if answer.status in _STALE:
        found = await client.looks(wanted.path, token)
        if len(deed.attempts) == 1:
            client.ledger.faults.append(f"{wanted.path} of {whose} was changed by nobody")
        if found.data[wanted.name] != value:
            raise Doubtful(wanted.event)
        deed.acknowledged = True
    row.is_now(wanted.column, value)


@dataclass(slots=True)
class Person:
    """Somebody with an address, a password and sessions."""

    client: Client
    post: MoodySink
    email: str = ""
    logins: list[Login] = field(default_factory=list)
    pieces: list[tuple[str, str]] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        """Where everything is written down."""
        return self.client.ledger

    async def live(self, over: asyncio.Event) -> None:
        """Register and do some things, until the storm is over or an ending is unknown."""
        with suppress(Doubtful, Refused):
            await self._register()
            steps: list[Callable[[], Awaitable[None]]] = [
                self._rename,
                self._describe,
                self._refresh,
                self._refresh,
                self._sign_in,
                self._sign_out,
                self._write,
                self._rewrite,
                self._forget,
            ]
            for _ in range(self.client.chance.randint(5, 10)):
                if over.is_set():
                    return
                await self.client.chance.choice(steps)()
                await asyncio.sleep(self.client.chance.uniform(0.02, 0.15))

    @property
    def _token(self) -> str:
        return self.logins[-1].access_token

    @property
    def _password(self) -> str:
        return self.ledger.passwords[self.email][-1]

    async def _register(self) -> None:
        number = self.ledger.number()
        self.email, name = f"p{number}@example.com", f"Reg {in_letters(number)}"
        self.ledger.passwords[self.email] = [f"Correct-Horse-{number}"]
        row = self.ledger.row("user", self.email)
        row.may_be("first_name", name)
        deed = Deed(
            "register", self.email, ("user.registered", "session.opened"), ("emails.welcome",)
        )
        body = {
            "email": self.email,
            "password": self._password,
            "firstName": name,
            "lastName": "Storm",
        }
        path = "/auth/register"
        answer = await self.client.does(
            deed, Ask(method="POST", path=path, body=body, once=f"register-{number}")
        )
        row.is_certain = True
        self._signed_in(answer.data)

    def _signed_in(self, data: dict[str, Any]) -> None:
        login = Login(self.email, data["refreshToken"], data["accessToken"])
        self.logins.append(login)
        self.ledger.logins.append(login)

    async def _rename(self) -> None:
        name = f"New {in_letters(self.ledger.number())}"
        await self._change("user.changed", "PATCH", "/users/me", "first_name", firstName=name)

    async def _describe(self) -> None:
        bio = f"I am number {self.ledger.number()}."
        await self._change("profile.changed", "PUT", "/users/me/profile", "bio", bio=bio)

    async def _change(self, event: str, method: str, path: str, column: str, **body: str) -> None:
        [name] = body
        wanted = Change(
            event=event,
            method=method,
            path=path,
            body=body,
            table="user",
            key=self.email,
            column=column,
            name=name,
        )
        await change(self.client, self._token, self.email, wanted)

    async def _refresh(self) -> None:
        login = self.client.chance.choice(self.logins)
        if login.rests:
            return
        deed = Deed("refresh", self.email)
        login.rests = True
        body = {"refreshToken": login.refresh_token}
        ask = Ask(method="POST", path="/auth/refresh", body=body)
        answer = await self.client.does(deed, ask)
        login.refresh_token = answer.data["refreshToken"]
        login.access_token = answer.data["accessToken"]
        # A first request may lie in a frozen process still, with a token that ages meanwhile: one
        # refresh more, and it is an ancestor's, which ends the session, as it should.
        login.rests = len(deed.attempts) > 1

    async def _sign_in(self) -> None:
        deed = Deed("login", self.email, ("session.opened",))
        body = {"email": self.email, "password": self._password}
        answer = await self.client.does_once(
            deed, Ask(method="POST", path="/auth/login", body=body)
        )
        self._signed_in(answer.data)

    async def _sign_out(self) -> None:
        if len(self.logins) == 1:
            return
        login = self.logins.pop(0)
        self.ledger.logins.remove(login)  # nobody knows until there is an answer
        deed = Deed("logout", self.email, ("session.ended",))
        ask = Ask(method="POST", path="/auth/logout", token=login.access_token)
        answer = await self.client.does(deed, ask, also=_GONE)
        if answer.status in _GONE and len(deed.attempts) == 1:
            self.ledger.faults.append(f"a session of {self.email} ended by itself")
        deed.acknowledged, login.is_live = True, False
        self.ledger.logins.append(login)

    async def _write(self) -> None:
        key, title = f"piece {self.ledger.number()}", "A first title"
        row = self.ledger.row("content", key)
        row.may_be("title", title)
        deed = Deed("write", self.email, ("content.created",))
        body = {"title": title, "body": key}
        ask = Ask(method="POST", path="/content", body=body, token=self._token, once=key[6:])
        answer = await self.client.does(deed, ask)
        row.is_certain = True
        self.pieces.append((key, answer.data["id"]))

    async def _rewrite(self) -> None:
        if not self.pieces:
            return
        key, piece = self.client.chance.choice(self.pieces)
        wanted = Change(
            event="content.changed",
            method="PATCH",
            path=f"/content/{piece}",
            body={"title": f"Title {self.ledger.number()}"},
            table="content",
            key=key,
            column="title",
            name="title",
        )
        await change(self.client, self._token, self.email, wanted)

    async def _forget(self) -> None:
        asked = time.monotonic()
        deed = Deed("forgot", self.email, ("password_reset.requested",), ("passwords.reset",))
        body = {"email": self.email}
        await self.client.does_once(
            deed, Ask(method="POST", path="/auth/forgot-password", body=body)
        )
        while not (token := self.post.reset_token(self.email, asked)):
            if time.monotonic() > asked + _LETTER_SECONDS:
                # Asked again, this letter would be worth nothing whenever it comes.
                raise Doubtful(deed.what)
            await asyncio.sleep(0.1)
        await self._reset(token)
        await self._sign_in()

    async def _reset(self, token: str) -> None:
        chosen = f"Fresh-Giraffe-{self.ledger.number()}"
        former = self.ledger.passwords[self.email]
        self.ledger.passwords[self.email] = [*former, chosen]
        for login in self.logins:
            self.ledger.logins.remove(login)
        deed = Deed("reset", self.email, ("user.password_reset",), ("emails.password_changed",))
        body = {"token": token, "newPassword": chosen}
        ask = Ask(method="POST", path="/auth/reset-password", body=body)
        answer = await self.client.does(deed, ask, also=_SPENT)
        opened = await self._was_it_spent(deed) if answer.status in _SPENT else None
        self.ledger.passwords[self.email] = [chosen]
        for login in self.logins:
            login.is_live = False
        self.ledger.logins += self.logins
        self.logins.clear()
        if opened:
            self._signed_in(opened)

    async def _was_it_spent(self, deed: Deed) -> dict[str, Any]:
        """See whether a reset was done whose answer was lost, return what a sign-in gives then.

        Raises Doubtful if it was not.
        """
        if len(deed.attempts) == 1:
            self.ledger.faults.append(f"a new letter of {self.email} was worth nothing")
        login = Deed("login", self.email, ("session.opened",))
        body = {"email": self.email, "password": self._password}
        ask = Ask(method="POST", path="/auth/login", body=body)
        answer = await self.client.does_once(login, ask, also=_GONE)
        if answer.status in _GONE:
            raise Doubtful(deed.what)
        deed.acknowledged = True
        return dict(answer.data)
