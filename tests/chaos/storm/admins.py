"""What administrators do meanwhile: make people and teams, put people in, give and take roles."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.storm.client import Ask, Client, Doubtful, Refused
from tests.chaos.storm.ledger import Deed, Ledger
from tests.chaos.storm.lives import Change, change, in_letters
from tests.chaos.storm.post import UNKNOWN

EMAIL, PASSWORD = "storm-admin@example.com", "Correct-Horse-9"
# An access token lives for a quarter of an hour.
_TOKEN_SECONDS = 600
_ONE_IN = 12


@dataclass(slots=True)
class Made:
    """Somebody an account was made for."""

    email: str
    id: str
    roles: tuple[str, ...] = ("user",)


@dataclass(slots=True)
class Admin:
    """One of the windows in which the administrator works."""

    client: Client
    token: str = ""
    people: list[Made] = field(default_factory=list)
    teams: list[tuple[str, str]] = field(default_factory=list)
    _signed_in: float = 0.0

    @property
    def ledger(self) -> Ledger:
        """Where everything is written down."""
        return self.client.ledger

    async def work(self, over: asyncio.Event) -> None:
        """Do one thing after the other until the storm is over."""
        steps: list[Callable[[], Awaitable[None]]] = [
            self._create_user,
            self._create_user,
            self._create_team,
            self._describe_team,
            self._put_member,
            self._turn_role,
            self._turn_role,
        ]
        while not over.is_set():
            with suppress(Doubtful, Refused):
                if time.monotonic() > self._signed_in + _TOKEN_SECONDS or not self.token:
                    await self._sign_in()
                await self.client.chance.choice(steps)()
            await asyncio.sleep(self.client.chance.uniform(0.05, 0.25))

    async def _sign_in(self) -> None:
        deed = Deed("login", EMAIL, ("session.opened",))
        body = {"email": EMAIL, "password": PASSWORD}
        answer = await self.client.does_once(
            deed, Ask(method="POST", path="/auth/login", body=body)
        )
        self.token, self._signed_in = answer.data["accessToken"], time.monotonic()

    async def _create_user(self) -> None:
        number, chance = self.ledger.number(), self.client.chance
        domain = "example.com" if chance.randrange(_ONE_IN) else UNKNOWN
        email, invited = f"made{number}@{domain}", chance.random() < 1 / 2
        body = {
            "email": email,
            "firstName": f"Made {in_letters(number)}",
            "lastName": "Storm",
            "emailVerified": chance.random() < 1 / 2,
        }
        if not invited:
            body["password"] = f"Correct-Horse-{number}"
            self.ledger.passwords[email] = [str(body["password"])]
        row = self.ledger.row("user", email)
        row.may_be("first_name", str(body["firstName"]))
        row.may_be("roles", "user")
        job = "passwords.invitation" if invited else "emails.welcome"
        deed = Deed("create user", email, ("user.created",), (job,))
        answer = await self.client.does(
            deed,
            Ask(method="POST", path="/users", body=body, token=self.token, once=f"user-{number}"),
        )
        row.is_certain = True
        self.people.append(Made(email, answer.data["id"]))

    async def _create_team(self) -> None:
        number = self.ledger.number()
        name = f"Team {number}"
        row = self.ledger.row("team", name)
        row.may_be("description", "New")
        deed = Deed("create team", name, ("team.created", "team.member_added"))
        body = {"name": name, "description": "New"}
        ask = Ask(method="POST", path="/teams", body=body, token=self.token, once=f"team-{number}")
        answer = await self.client.does(deed, ask)
        row.is_certain = True
        self.teams.append((name, answer.data["id"]))

    async def _describe_team(self) -> None:
        if not self.teams:
            return
        name, team = self.teams.pop(self.client.chance.randrange(len(self.teams)))
        wanted = Change(
            event="team.changed",
            method="PATCH",
            path=f"/teams/{team}",
            body={"description": f"Text {self.ledger.number()}"},
            table="team",
            key=name,
            column="description",
            name="description",
        )
        await change(self.client, self.token, name, wanted)
        self.teams.append((name, team))

    async def _put_member(self) -> None:
        if not self.teams or not self.people:
            return
        name, team = self.client.chance.choice(self.teams)
        made = self.client.chance.choice(self.people)
        row = self.ledger.row("member", f"{name}/{made.email}")
        # Whoever is in it already, or was put there nobody knows when, leaves no second event.
        if row.values:
            return
        row.may_be("role", "member")
        deed = Deed("put member", row.key, ("team.member_added",))
        path = f"/teams/{team}/members/{made.id}"
        await self.client.does(deed, Ask(method="PUT", path=path, token=self.token))
        row.is_certain = True

    async def _turn_role(self) -> None:
        if not self.people:
            return
        made = self.people.pop(self.client.chance.randrange(len(self.people)))
        given = "manager" not in made.roles
        made.roles = ("manager", "user") if given else ("user",)
        row, roles = self.ledger.row("user", made.email), ",".join(made.roles)
        row.may_be("roles", roles)
        event = "user.role_given" if given else "user.role_taken"
        deed = Deed(event, made.email, (event,))
        method, path = ("PUT" if given else "DELETE"), f"/users/{made.id}/roles/manager"
        await self.client.does(deed, Ask(method=method, path=path, token=self.token))
        row.is_now("roles", roles)
        # A first request may lie in a frozen process still, and undo what is done next.
        if len(deed.attempts) == 1:
            self.people.append(made)
