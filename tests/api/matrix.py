"""Who may call what: one row a route, one column a kind of caller, as data.

`{user}` is somebody who is an ordinary user, the owner of `{content}` and a member of `{team}`.
Callers: nobody signed in, a guest, another user, that somebody themselves, a manager whose teams
they are not in, the manager of `{team}`, an administrator. Each cell is the status of a request
that is otherwise right.
"""

from typing import Any

KINDS = ("anonymous", "guest", "other", "self", "manager out", "manager in", "admin")

PUBLIC, SIGNED_IN, RECENT, OPS = "public", "signed in", "signed in recently", "operator"

# Routes about oneself: every signed-in caller is like every other.
OWN = {
    "POST /auth/register": PUBLIC,
    "POST /auth/login": PUBLIC,
    "POST /auth/refresh": PUBLIC,
    "POST /auth/logout": SIGNED_IN,
    "POST /auth/logout-all": SIGNED_IN,
    "GET /auth/me": SIGNED_IN,
    "DELETE /auth/me": RECENT,
    "POST /auth/step-up": SIGNED_IN,
    "GET /auth/sessions": SIGNED_IN,
    "DELETE /auth/sessions": SIGNED_IN,
    "DELETE /auth/sessions/{id}": SIGNED_IN,
    "POST /auth/forgot-password": PUBLIC,
    "POST /auth/reset-password": PUBLIC,
    "POST /auth/change-password": SIGNED_IN,
    "POST /auth/verify-email": PUBLIC,
    "POST /auth/resend-verification": PUBLIC,
    "POST /auth/change-email": SIGNED_IN,
    "POST /auth/confirm-email": PUBLIC,
    "POST /auth/undo-email-change": PUBLIC,
    "GET /.well-known/jwks.json": PUBLIC,
    "GET /health": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /ops/prometheus/targets": OPS,
}

#                                  nobody guest other self out in admin
MATRIX = {
    "GET /users":                   "401 403 403 403 200 200 200",
    "POST /users":                  "401 403 403 403 403 403 201",
    "GET /users/{user}":            "401 403 404 200 200 200 200",
    "PUT /users/{user}":            "401 403 404 200 403 200 200",
    "PATCH /users/{user}":          "401 403 404 200 403 200 200",
    "DELETE /users/{user}":         "401 403 403 403 403 403 200",
    "POST /users/{user}/suspend":   "401 403 403 403 403 403 200",
    "POST /users/{user}/activate":  "401 403 403 403 403 403 200",
    "POST /users/{gone}/restore":   "401 403 403 403 403 403 200",
    "GET /users/{user}/profile":    "401 403 404 200 200 200 200",
    "PUT /users/{user}/profile":    "401 403 404 200 403 200 200",
    "GET /users/{user}/sessions":   "401 403 404 200 403 403 200",
    "DELETE /users/{user}/sessions": "401 403 403 403 403 403 200",
    "PUT /users/{user}/roles/{role}": "401 403 403 403 403 403 200",
    "DELETE /users/{user}/roles/user": "401 403 403 403 403 403 200",
    "GET /permissions":             "401 403 403 403 200 200 200",
    "GET /roles":                   "401 403 403 403 200 200 200",
    "POST /roles":                  "401 403 403 403 403 403 201",
    "GET /roles/{role}":            "401 403 403 403 200 200 200",
    "PUT /roles/{role}":            "401 403 403 403 403 403 200",
    "PATCH /roles/{role}":          "401 403 403 403 403 403 200",
    "DELETE /roles/{role}":         "401 403 403 403 403 403 200",
    "GET /teams":                   "401 403 200 200 200 200 200",
    "POST /teams":                  "401 403 403 403 201 201 201",
    "GET /teams/{team}":            "401 403 404 200 200 200 200",
    "PATCH /teams/{team}":          "401 403 403 403 403 200 200",
    "DELETE /teams/{team}":         "401 403 403 403 403 200 200",
    "GET /teams/{team}/members":    "401 403 404 200 200 200 200",
    "PUT /teams/{team}/members/{user}": "401 403 403 403 403 200 200",
    "DELETE /teams/{team}/members/{user}": "401 404 404 200 403 200 200",
    "GET /content":                 "401 200 200 200 200 200 200",
    "POST /content":                "401 403 201 201 201 201 201",
    "GET /content/{content}":       "401 200 200 200 200 200 200",
    "PUT /content/{content}":       "401 403 403 200 200 200 200",
    "PATCH /content/{content}":     "401 403 403 200 200 200 200",
    "DELETE /content/{content}":    "401 403 403 200 200 200 200",
    "GET /content/{draft}":         "401 404 404 200 200 200 200",
    "PUT /content/{draft}":         "401 403 404 200 200 200 200",
    "PATCH /content/{draft}":       "401 403 404 200 200 200 200",
    "DELETE /content/{draft}":      "401 403 404 200 200 200 200",
    "GET /audit":                   "401 403 403 403 403 403 200",
    "GET /audit/{event}":           "401 403 403 403 403 403 200",
    "GET /audit/export":            "401 403 403 403 403 403 200",
    "GET /audit/verify":            "401 403 403 403 403 403 200",
    "GET /admin/tasks":             "401 403 403 403 403 403 200",
    "POST /admin/tasks/{task}/run": "401 403 403 403 403 403 202",
    "GET /admin/stats":             "401 403 403 403 403 403 200",
    "GET /admin/status":            "401 403 403 403 403 403 200",
    "GET /admin/queues":            "401 403 403 403 403 403 200",
    "POST /admin/queues/{queue}/hold": "401 403 403 403 403 403 200",
    "POST /admin/queues/{queue}/release": "401 403 403 403 403 403 200",
    "GET /admin/quarantine":        "401 403 403 403 403 403 200",
    "DELETE /admin/quarantine/{message}": "401 403 403 403 403 403 200",
    "GET /admin/jobs":              "401 403 403 403 403 403 200",
    "POST /admin/jobs/retry":       "401 403 403 403 403 403 202",
    "POST /admin/jobs/discard":     "401 403 403 403 403 403 202",
    "POST /admin/jobs/replay":      "401 403 403 403 403 403 202",
    "GET /admin/jobs/{job}":        "401 403 403 403 403 403 200",
    "POST /admin/jobs/{job}/retry": "401 403 403 403 403 403 200",
    "POST /admin/jobs/{job}/discard": "401 403 403 403 403 403 200",
    "POST /admin/jobs/{job}/replay": "401 403 403 403 403 403 201",
}  # fmt: skip

# Bodies of requests that are right; a route that is not named takes none.
BODIES: dict[str, Any] = {
    "PUT /users/{user}": {"firstName": "Grace", "lastName": "Hopper"},
    "PATCH /users/{user}": {"firstName": "Grace"},
    "PUT /users/{user}/profile": {"bio": "Wrote the first compiler."},
    "PUT /roles/{role}": {"name": "auditor", "rank": 50, "permissions": ["users:read"]},
    "PATCH /roles/{role}": {"description": "Looks at everything."},
    "PATCH /teams/{team}": {"description": "Ships."},
    "PUT /teams/{team}/members/{user}": {"role": "member"},
    "POST /content": {"title": "Notes"},
    "PUT /content/{content}": {"title": "Notes"},
    "PATCH /content/{content}": {"title": "Notes"},
    "PUT /content/{draft}": {"title": "Notes"},
    "PATCH /content/{draft}": {"title": "Notes"},
    "POST /admin/queues/{queue}/hold": {"reason": "The provider is moved."},
    "POST /admin/jobs/retry": {"filter": {"state": "dead"}},
    "POST /admin/jobs/discard": {"filter": {"state": "dead"}},
    "POST /admin/jobs/replay": {"filter": {"state": "dead"}},
}

# What asks for a proved address too, unless REQUIRE_VERIFIED_EMAIL is off.
VERIFIED = {
    "POST /roles",
    "PUT /roles/{role}",
    "PATCH /roles/{role}",
    "DELETE /roles/{role}",
    "PUT /users/{user}/roles/{role}",
    "DELETE /users/{user}/roles/user",
}


def expected(route: str) -> dict[str, int]:
    """Return the status of a route by kind of caller."""
    return {kind: int(status) for kind, status in zip(KINDS, MATRIX[route].split(), strict=True)}
