"""Every service is made here, with what it needs, and published under its key."""

from aiohttp import web

from api.attempts import Attempts
from api.audit.handlers import AUDIT
from api.audit.service import AuditService
from api.audit.verification import Verification
from api.auth.account import AccountService
from api.auth.devices import DeviceTokens
from api.auth.guard import Guard
from api.auth.handlers import ACCOUNT, AUTH
from api.auth.identity import Identity
from api.auth.service import AuthService, SignInRules
from api.auth.tokens import Tokens
from api.content.handlers import CONTENT
from api.content.service import ContentService
from api.denials import Denials
from api.emails.changes import EmailChangeService
from api.emails.handlers import EMAIL_CHANGES, EMAILS
from api.emails.service import EmailService
from api.health.handlers import HEALTH
from api.health.service import HealthService
from api.jobs.handlers import JOBS
from api.jobs.queues import QUEUES
from api.jobs.service import JobService, QueueService
from api.limits import Limits
from api.mailbox.handlers import MAILBOX
from api.mailbox.service import Mailbox, has_mailbox
from api.parts import Parts
from api.passwords.current import CurrentPassword
from api.passwords.handlers import PASSWORDS
from api.passwords.policy import PasswordPolicy
from api.passwords.service import PasswordService
from api.profiles.handlers import PROFILES
from api.profiles.service import ProfileService
from api.proofs import Proofs
from api.roles.handlers import ROLES
from api.roles.service import RoleService
from api.sessions.handlers import SESSIONS
from api.sessions.opening import SessionLives, SessionOpener
from api.sessions.oversight import SessionOversight
from api.sessions.people import OVERSIGHT
from api.sessions.service import SessionService
from api.setup.handlers import SETUP
from api.setup.service import SetupService
from api.statistics.handlers import STATISTICS
from api.statistics.service import StatisticsService
from api.status.cookies import PageCookies
from api.status.door import DOOR, Door
from api.status.handlers import STATUS
from api.status.service import StatusService
from api.targets.handlers import REDIS
from api.tasks.handlers import TASK_SERVICE
from api.tasks.service import TaskService
from api.teams.handlers import MEMBERSHIPS, TEAMS
from api.teams.membership import MembershipService
from api.teams.service import TeamService
from api.users.handlers import STANDING, USERS
from api.users.service import UserService
from api.users.standing import StandingService
from ops.settings import SecurityProfile, Settings, VerifiedEmail


def publish_services(app: web.Application, parts: Parts, tokens: Tokens, limits: Limits) -> None:
    """Make the services of every feature and publish them on the application."""
    database, hasher, metrics, settings = (
        parts.database,
        parts.hasher,
        parts.metrics,
        parts.settings,
    )
    devices = DeviceTokens(parts.keys)
    attempts = Attempts(
        database=database,
        keys=parts.keys,
        limits=limits,
        metrics=metrics,
        rate=settings.rate_limit_auth_failures,
    )
    lives = SessionLives(
        idle=settings.refresh_token_ttl,
        absolute=settings.session_absolute_ttl,
        per_user=settings.sessions_per_user,
    )
    policy = PasswordPolicy(settings.security_profile)
    app[AUTH] = AuthService(
        database=database,
        hasher=hasher,
        policy=policy,
        guard=Guard(database=database, attempts=attempts, devices=devices),
        opener=SessionOpener(tokens=tokens, devices=devices, lives=lives),
        tokens=tokens,
        devices=devices,
        metrics=metrics,
        rules=_sign_in_rules(settings),
    )
    app[SESSIONS] = SessionService(
        database=database,
        tokens=tokens,
        limits=limits,
        metrics=metrics,
        lives=lives,
        profile=settings.security_profile,
    )
    _publish_credentials(app, parts, policy, attempts)
    _publish_people(app, parts, policy)
    _publish_audit(app, parts)
    app[TASK_SERVICE] = TaskService(database=database)
    app[STATISTICS] = StatisticsService(database=database)
    app[SETUP] = SetupService(database=database, hasher=hasher, policy=policy, keys=parts.keys)
    app[HEALTH] = HealthService(database=database, redis=parts.redis)
    if has_mailbox(settings):
        app[MAILBOX] = Mailbox(settings.home / "mail")


def publish_status(app: web.Application, parts: Parts, identity: Identity, limits: Limits) -> None:
    """Publish what tells how the house is: to Prometheus, and to administrators who sign in."""
    settings = parts.settings
    app[REDIS] = parts.redis
    app[STATUS] = StatusService(redis=parts.redis)
    app[DOOR] = Door(
        auth=app[AUTH],
        sessions=app[SESSIONS],
        identity=identity,
        limits=limits,
        denials=Denials(parts.database),
        cookies=PageCookies(base_url=settings.base_url, seconds=settings.refresh_token_ttl),
    )


def _publish_credentials(
    app: web.Application, parts: Parts, policy: PasswordPolicy, attempts: Attempts
) -> None:
    """Publish what letters are asked for and answered with."""
    database, keys, metrics = parts.database, parts.keys, parts.metrics
    current = CurrentPassword(database=database, hasher=parts.hasher, attempts=attempts)
    app[ACCOUNT] = AccountService(database=database, current=current, metrics=metrics)
    proofs = Proofs(database=database, keys=keys, attempts=attempts)
    app[EMAILS] = EmailService(database=database, proofs=proofs, metrics=metrics)
    app[EMAIL_CHANGES] = EmailChangeService(
        database=database, keys=keys, proofs=proofs, current=current, metrics=metrics
    )
    app[PASSWORDS] = PasswordService(
        database=database,
        proofs=proofs,
        hasher=parts.hasher,
        policy=policy,
        attempts=attempts,
        current=current,
        devices=DeviceTokens(keys),
        metrics=metrics,
    )


def _publish_people(app: web.Application, parts: Parts, policy: PasswordPolicy) -> None:
    """Publish what people and jobs are managed with, and what people make."""
    database, metrics = parts.database, parts.metrics
    app[USERS] = UserService(database=database, hasher=parts.hasher, policy=policy, metrics=metrics)
    app[STANDING] = StandingService(database=database, metrics=metrics)
    app[PROFILES] = ProfileService(database=database, metrics=metrics)
    app[OVERSIGHT] = SessionOversight(database=database, metrics=metrics)
    app[ROLES] = RoleService(database=database, metrics=metrics)
    app[TEAMS] = TeamService(database=database, metrics=metrics)
    app[MEMBERSHIPS] = MembershipService(database=database, metrics=metrics)
    app[CONTENT] = ContentService(database=database)
    app[QUEUES] = QueueService(database=database, redis=parts.redis, metrics=metrics)
    app[JOBS] = JobService(database=database, metrics=metrics)


def _publish_audit(app: web.Application, parts: Parts) -> None:
    """Publish what tells what happened."""
    verification = Verification(
        database=parts.database,
        keys=parts.keys,
        home=parts.settings.home,
        metrics=parts.metrics,
    )

    async def stop(_: web.Application) -> None:
        await verification.close()

    app.on_shutdown.append(stop)
    app[AUDIT] = AuditService(database=parts.database, verification=verification)


def _sign_in_rules(settings: Settings) -> SignInRules:
    strict = settings.security_profile is SecurityProfile.STRICT
    by_setting = settings.require_verified_email is VerifiedEmail.LOGIN
    return SignInRules(neutral=strict, verified_only=strict or by_setting)
