"""What people tell of themselves is shown at their profile and nowhere else."""

from typing import Any

import aiohttp

from tests.factories import bearer, register
from tests.people import admin, call, id_of, manager

SECRETS = {"phone": "+12025550123", "dateOfBirth": "1906-12-09"}
BIO, TOPIC, ZONE = "Canary of a bio, found a moth.", "canary-topic", "Asia/Tokyo"


async def test_neither_the_list_of_users_nor_a_user_shows_what_a_profile_keeps(
    api: aiohttp.ClientSession, owner: Any
) -> None:
    root, boss, ada = await admin(api, owner), await manager(api, owner), await register(api)
    body = {"bio": BIO, "notificationPreferences": {TOPIC: True}, "timezone": ZONE}
    await call(api, ada, "PUT", "/users/me/profile", body | SECRETS)

    for who in (root, boss):
        for path in ("/users", f"/users/{id_of(ada)}"):
            async with api.get(f"/api/v1{path}", headers=bearer(who)) as answer:
                assert answer.status == 200
                shown = await answer.text()
            for canary in (*SECRETS.values(), BIO, TOPIC, ZONE, *body, *SECRETS):
                assert canary not in shown
            for field in (*body, *SECRETS):
                status, _ = await call(api, who, "GET", f"{path}?fields={field}")
                assert status == 400
        for query in ("sort=dateOfBirth", "filter[phone]=1", "filter[bio]=x"):
            assert (await call(api, who, "GET", f"/users?{query}"))[0] == 400
        _, found = await call(api, who, "GET", f"/users?search={SECRETS['phone'][1:]}")
        assert found["data"] == []
