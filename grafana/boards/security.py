"""Sign-in and security: who comes in, who is kept out, what administrators do."""

from grafana import signals
from grafana.board import Row, board
from grafana.panels import above, figure, graph, stack, stat
from grafana.promql import added, each, highest, house, ours, quantile, total, within

_DAY = 86_400

_NOW = Row(
    "Now",
    stat(
        "Failed sign-ins a second",
        "More than one a second for minutes: somebody tries lists of passwords. Limits hold;"
        " the log names the addresses.",
        expr=total(ours("ostiary_login_attempts_total", 'result!="success"')),
        unit="ops",
        limits=above(warn=0.5, alarm=1),
        alerts=("CredentialStuffing", "PasswordSpray"),
    ),
    stat(
        "Share of sign-ins that fail",
        "One in ten is usual. Above a half: look below which result rises.",
        expr=signals.SIGN_IN_FAILURE_RATIO,
        unit="percentunit",
        limits=above(warn=0.5, alarm=0.75),
        alerts=("CredentialStuffing",),
    ),
    figure(
        "Refresh tokens reused",
        "In the time chosen above. Each one ended a session: a stolen token, or a client that"
        " keeps old ones.",
        expr=within(ours("ostiary_token_refreshes_total", 'result="reused"'), "$__range"),
        unit="short",
        limits=above(warn=1, alarm=5),
        alerts=("RefreshTokenReuse",),
    ),
    stat(
        "Administrators",
        "People who can do everything. More than you know of: take the role away and read the"
        " audit trail.",
        expr=signals.ADMINISTRATORS,
        unit="short",
        alerts=("AdminCreated",),
    ),
    stat(
        "Age of the signing key",
        "A new one is made after 90 days. Older: the clock does not run its task.",
        expr=highest(house("ostiary_signing_key_age_seconds")),
        unit="s",
        limits=above(warn=91 * _DAY, alarm=97 * _DAY),
        alerts=("SigningKeyOld",),
    ),
    stat(
        "The certificate ends in",
        "That of PUBLIC_URL, as the clock sees it. Less than two weeks: nobody renews it. 0: no"
        " https, or nobody answers there.",
        expr=f"({highest(house('ostiary_certificate_expiry_timestamp_seconds'))} > 0) - time()"
        " or vector(0)",
        unit="s",
        alerts=("TlsExpires",),
    ),
    stat(
        "A proxy that is not trusted",
        "Yes: everybody behind it shares one limit. Name it in TRUSTED_PROXIES.",
        expr=highest(ours("ostiary_untrusted_proxy_suspected")),
        unit="bool_yes_no",
        limits=above(alarm=1),
        alerts=("UntrustedProxy",),
    ),
)

_COMING_IN = Row(
    "Coming in",
    stack(
        "Sign-ins by result",
        "`failure` is a wrong password or nobody's address; `suspended` and `unverified` are"
        " people who may not. Successes fall too: they cannot reach us.",
        lines={"{{result}}": signals.SIGN_INS_BY_RESULT},
        unit="ops",
        alerts=("CredentialStuffing", "SignInServerErrors"),
    ),
    graph(
        "Sign-ups by result",
        "`taken` in great number: somebody tries which addresses are known. Far more"
        " `registered` than usual: robots.",
        lines={"{{result}}": signals.SIGN_UPS_BY_RESULT},
        unit="ops",
        alerts=("SignupFlood",),
    ),
    graph(
        "Password resets by stage",
        "Many `requested` and few `done`: somebody floods other people's mailboxes, or letters"
        " do not arrive.",
        lines={"{{stage}}": each(ours("ostiary_password_resets_total"), by="stage")},
        unit="ops",
        alerts=("ResetFlood",),
    ),
    graph(
        "E-mail addresses verified and changed",
        "`refused`: links that ended or were guessed. `undone`: somebody else had changed an"
        " address; look at that person's sessions.",
        lines={
            "verification {{stage}}": signals.VERIFICATIONS_BY_STAGE,
            "change {{stage}}": each(ours("ostiary_email_changes_total"), by="stage"),
        },
        unit="ops",
    ),
    graph(
        "Passwords asked for again",
        "`refused` rises: somebody holds open sessions without knowing the password.",
        lines={"{{result}}": each(ours("ostiary_step_ups_total"), by="result")},
        unit="ops",
    ),
    graph(
        "Password hashing",
        "Time of one hash (95th percentile). Much above what `make bench` shows for this"
        " machine: the processors are taken.",
        lines={"{{op}}": quantile(0.95, "ostiary_password_hash_seconds", by="op")},
        unit="s",
        alerts=("HashPoolSaturated",),
    ),
    graph(
        "Passwords waiting to be hashed",
        "A standing queue: more cores, or HASH_SLOTS is too low; who waits over 1.5 s is"
        " answered 503.",
        lines={"{{process}}": added(ours("ostiary_password_hash_queue"), by="process")},
        unit="short",
        limits=above(alarm=10),
        alerts=("HashPoolSaturated",),
    ),
)

_STAYING_IN = Row(
    "Staying in",
    graph(
        "Refresh tokens by result",
        "`reused` ends the session of whoever holds it. `expired` and `ended` are people who"
        " come back late.",
        lines={"{{result}}": each(ours("ostiary_token_refreshes_total"), by="result")},
        unit="ops",
        alerts=("RefreshTokenReuse",),
    ),
    graph(
        "Access tokens issued",
        "By what they were given for. Many more refreshes than sign-ins is as it should be.",
        lines={"{{grant}}": each(ours("ostiary_tokens_issued_total"), by="grant")},
        unit="ops",
    ),
    graph(
        "Access tokens presented",
        "`refused` rises: tokens that ended, or forged ones; the log has the addresses.",
        lines={"{{result}}": signals.ACCESS_TOKENS_CHECKED},
        unit="reqps",
    ),
    graph(
        "Sessions ended before their time",
        "By reason. `ended_by_admin` or `password_reset` in great number: ask who and why.",
        lines={"{{reason}}": each(ours("ostiary_sessions_revoked_total"), by="reason")},
        unit="ops",
    ),
    graph(
        "Sessions not ended",
        "Falls to nothing: all were ended. Grows without end: clean-up does not run, see the"
        " tasks on Jobs and letters.",
        lines={"sessions": signals.SESSIONS},
        unit="short",
    ),
    graph(
        "How old the list of revocations is",
        "How late a process learns that a session ended. Above 10 s: it cannot read PostgreSQL.",
        lines={"{{process}}": highest(ours("ostiary_revocations_age_seconds"), by="process")},
        unit="s",
        limits=above(alarm=10),
        alerts=("PostgresDown",),
    ),
)

_KEPT_OUT = Row(
    "Kept out",
    graph(
        "Refused by a limit",
        "By policy: `auth` and `account` are failed sign-ins, the others too many requests.",
        lines={"{{policy}}": signals.REFUSED_BY_POLICY},
        unit="reqps",
        alerts=("CredentialStuffing",),
    ),
    graph(
        "Let through uncounted",
        "Above 0: Redis is away and general limits do not hold. Bring it back.",
        lines={"unchecked": signals.UNCHECKED_LIMITS},
        unit="reqps",
        alerts=("RedisErrors",),
    ),
    graph(
        "Bodies refused",
        "Somebody sends more than is allowed: the log has the address.",
        lines={"{{reason}}": signals.BODIES_REFUSED},
        unit="reqps",
    ),
)

_RIGHTS = Row(
    "What people with rights do",
    graph(
        "What administrators do",
        "Far more than usual of one action: a script, or an account in the wrong hands. The"
        " audit trail says whose.",
        lines={"{{action}}": signals.ADMIN_ACTIONS},
        unit="ops",
        alerts=("AdminActionSpike",),
    ),
    graph(
        "Roles given and taken",
        "Any `given` that you do not expect: read the audit trail for role.given.",
        lines={"{{change}}": signals.ROLE_CHANGES},
        unit="ops",
        alerts=("AdminCreated",),
    ),
    graph(
        "People changed by others",
        "Many `suspended` or `deleted`: ask who, in the audit trail.",
        lines={"{{change}}": signals.USER_CHANGES},
        unit="ops",
        alerts=("AdminActionSpike",),
    ),
)

SECURITY = board(
    "ostiary-security",
    "Ostiary / Sign-in and security",
    description="Who comes in, who is kept out, what administrators do.",
    rows=(_NOW, _COMING_IN, _STAYING_IN, _KEPT_OUT, _RIGHTS),
)
