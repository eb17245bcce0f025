"""Metrics of people: how they come in, what they may, what is changed of them."""

from ops.metrics.declared import By, Catalogue


class PeopleMetrics(Catalogue):
    """Sign-in, sessions, passwords, and what administrators do."""

    def __init__(self) -> None:
        super().__init__()
        self._arriving()
        self._sessions()
        self._passwords()
        self._changes()
        self._standing()

    def _arriving(self) -> None:
        self.signups = self._counter(
            "ostiary_signups_total",
            "Registrations.",
            "method",
            "result",
            known=(("password", "registered"), ("password", "taken")),
        )
        self.logins = self._counter(
            "ostiary_login_attempts_total",
            "Sign-ins tried.",
            "method",
            "result",
            known=(("password", "success"), ("password", "failure")),
        )
        self.step_ups = self._counter(
            "ostiary_step_ups_total", "Passwords asked for again in a session.", "result"
        )
        self.verifications = self._counter(
            "ostiary_email_verifications_total",
            "E-mail addresses: letters and proofs.",
            "stage",
            by=By.WEB_AND_WORKERS,
        )
        self.email_changes = self._counter(
            "ostiary_email_changes_total",
            "Changes of e-mail address.",
            "stage",
            by=By.WEB_AND_WORKERS,
        )

    def _sessions(self) -> None:
        self.tokens_issued = self._counter(
            "ostiary_tokens_issued_total", "Access tokens issued.", "grant"
        )
        self.refreshes = self._counter(
            "ostiary_token_refreshes_total",
            "Refresh tokens presented.",
            "result",
            known=(("rotated",), ("repeated",), ("reused",)),
        )
        self.sessions_revoked = self._counter(
            "ostiary_sessions_revoked_total", "Sessions ended before their time.", "reason"
        )
        self.tokens_checked = self._counter(
            "ostiary_access_tokens_checked_total",
            "Access tokens presented: known from before, looked up, or refused.",
            "result",
        )
        self.revocations_age = self._gauge(
            "ostiary_revocations_age_seconds",
            "Time since this process last read what was revoked.",
        )
        self.key_age = self._gauge(
            "ostiary_signing_key_age_seconds",
            "Age of the key that signs access tokens.",
            by=By.CLOCK,
        )

    def _passwords(self) -> None:
        self.resets = self._counter(
            "ostiary_password_resets_total",
            "Password resets: letters and uses.",
            "stage",
            by=By.WEB_AND_WORKERS,
            known=(("requested",),),
        )
        self.hash_seconds = self._histogram(
            "ostiary_password_hash_seconds", "Time to hash or verify one password.", "op"
        )
        self.hash_queue = self._gauge(
            "ostiary_password_hash_queue", "Passwords waiting for a hash slot."
        )

    def _changes(self) -> None:
        self.admin_actions = self._counter(
            "ostiary_admin_actions_total",
            "What people did to others, or to the service, by an administrator's rights.",
            "action",
        )
        self.role_changes = self._counter(
            "ostiary_role_changes_total",
            "Roles given, taken, created, changed and deleted.",
            "change",
        )
        self.profile_values_unreadable = self._counter(
            "ostiary_profile_values_unreadable_total",
            "Values of profiles met whose key SECRET_KEYS lacks.",
            "column",
        )
        self.user_changes = self._counter(
            "ostiary_user_changes_total",
            "People created, changed, moved to another address, suspended, activated, deleted,"
            " restored.",
            "change",
        )
        self.team_changes = self._counter(
            "ostiary_team_changes_total",
            "Teams created, changed and deleted; members added, changed and removed.",
            "change",
        )

    def _standing(self) -> None:
        self.users = self._gauge("ostiary_users", "Users by state.", "state", by=By.CLOCK)
        self.administrators = self._gauge(
            "ostiary_administrators", "People who have the role admin.", by=By.CLOCK
        )
        self.sessions_active = self._gauge(
            "ostiary_sessions_active", "Sessions not yet ended.", by=By.CLOCK
        )
        self.active_users = self._gauge(
            "ostiary_active_users",
            "People who used a session, by days looked at.",
            "window",
            by=By.CLOCK,
        )
