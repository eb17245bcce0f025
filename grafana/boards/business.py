"""Business: how many people there are, how many come, and how many find their way in."""

from grafana import signals
from grafana.board import Row, board
from grafana.panels import figure, graph, stack, stat
from grafana.promql import added, each, highest, house, ours, ratio, within

_USERS = highest(house("ostiary_users"), by="state")
_MEMBERS = highest(house("ostiary_users", 'state=~"verified|unverified"'), by="state")
_SIGN_UPS = ours("ostiary_signups_total", 'result="registered"')
_SIGN_INS = ours("ostiary_login_attempts_total", 'result="success"')
_VERIFIED = ours("ostiary_email_verifications_total", 'stage="verified"')
_RESETS = ours("ostiary_password_resets_total", 'stage="done"')


def _daily(selector: str, *, offset: str = "") -> str:
    return f"round(sum(increase({selector}[1d]{offset}))) or vector(0)"


_PEOPLE = Row(
    "People",
    stat(
        "People",
        "Verified or not, suspended ones left out. A fall: see who was deleted, by whom.",
        expr=added(_MEMBERS),
        unit="short",
    ),
    stat(
        "Active in a day",
        "People who used a session in the last day counted. A fall: can they sign in?",
        expr=highest(house("ostiary_active_users", 'window="daily"')),
        unit="short",
    ),
    stat(
        "Active in a month",
        "People who used a session in the last 30 days counted. The trend is what counts.",
        expr=highest(house("ostiary_active_users", 'window="monthly"')),
        unit="short",
    ),
    figure(
        "New people",
        "Who registered in the time chosen above. None: try to register yourself.",
        expr=within(_SIGN_UPS, "$__range"),
        unit="short",
    ),
    figure(
        "Share that proves its address",
        "Proofs for each registration in the time chosen above. Below a half: letters land in"
        " spam; look at SPF, DKIM and DMARC of the sender.",
        expr=ratio(within(_VERIFIED, "$__range"), within(_SIGN_UPS, "$__range")),
        unit="percentunit",
    ),
    stat(
        "Administrators",
        "People who can do everything: as few as possible, at least two.",
        expr=signals.ADMINISTRATORS,
        unit="short",
        alerts=("AdminCreated",),
    ),
)

_GROWTH = Row(
    "Growth",
    stack(
        "People by state",
        "Many `unverified`: letters do not arrive, or robots register.",
        lines={"{{state}}": _USERS},
        unit="short",
    ),
    graph(
        "Active people",
        "By the days looked at. Daily over monthly tells how often they come back.",
        lines={"{{window}}": highest(house("ostiary_active_users"), by="window")},
        unit="short",
    ),
    graph(
        "Sessions not ended",
        "Devices people are signed in on. Many more than people: a client signs in anew each time.",
        lines={"sessions": signals.SESSIONS},
        unit="short",
    ),
)

_WAY_IN = Row(
    "Their way in, in the 24 hours before",
    graph(
        "Registrations and proofs",
        "The gap between both is people who never came in: look at their letters.",
        lines={"registered": _daily(_SIGN_UPS), "proved their address": _daily(_VERIFIED)},
        unit="short",
        alerts=("SignupFlood",),
    ),
    graph(
        "Sign-ins",
        "A day far below the same day of last week: something keeps people out.",
        lines={
            "signed in": _daily(_SIGN_INS),
            "a week before": _daily(_SIGN_INS, offset=" offset 7d"),
        },
        unit="short",
    ),
    graph(
        "Forgotten passwords",
        "Resets that were done. A rise after a release: did it sign people out?",
        lines={"reset": _daily(_RESETS)},
        unit="short",
        alerts=("ResetFlood",),
    ),
)

_CHANGES = Row(
    "What changes",
    graph(
        "People changed",
        "Created, changed, suspended, deleted by others or themselves.",
        lines={"{{change}}": signals.USER_CHANGES},
        unit="ops",
    ),
    graph(
        "Teams",
        "Created, changed, deleted; members that come and go. Who did it: the audit trail.",
        lines={"{{change}}": each(ours("ostiary_team_changes_total"), by="change")},
        unit="ops",
    ),
    graph(
        "Roles",
        "Given and taken. A rise without a reason you know: read the audit trail.",
        lines={"{{change}}": signals.ROLE_CHANGES},
        unit="ops",
    ),
    graph(
        "Size of the database",
        "Plan disk by the trend; docs/clock.md says what is kept how long.",
        lines={"bytes": highest(house("ostiary_database_bytes"))},
        unit="bytes",
        alerts=("DiskFillsIn4h",),
    ),
    graph(
        "Letters",
        "What your mail provider will bill. A jump: see Jobs and letters for the template.",
        lines={"{{outcome}}": signals.LETTERS_BY_OUTCOME},
        unit="ops",
        alerts=("LetterFailureRatioHigh",),
    ),
)

BUSINESS = board(
    "ostiary-business",
    "Ostiary / Business",
    description="How many people there are, how many come, how many find their way in.",
    rows=(_PEOPLE, _GROWTH, _WAY_IN, _CHANGES),
    since="now-7d",
)
