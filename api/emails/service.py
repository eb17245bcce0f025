"""Rules of proving an e-mail address: by the letter's link, or by its code."""

from dataclasses import dataclass, field

from api.attempts import Secret
from api.context import Call
from api.proofs import LetterKind, Proofs
from ops.errors import Kind, Problem
from ops.metrics import Metrics
from storage.audit import Outcome
from storage.database import Database
from storage.email_verifications import Proof
from storage.jobs import NOBODY, SendVerification
from storage.repositories import Storage
from storage.tokens import TokenKind


class VerificationFailed(Problem, kind=Kind.MALFORMED, code="BAD_REQUEST"):
    """This link or code is wrong, used, or too old. Ask for a new letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What somebody proves an address with: a token, or an address and the code sent there."""

    token: str = field(default="", repr=False)
    email: str = ""
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproved:
    """The address that a letter is to prove."""

    email: str


_LETTER = LetterKind(
    kind=TokenKind.EMAIL_VERIFICATION,
    secret=Secret.VERIFICATION_CODE,
    kept=lambda storage: storage.email_verifications,
    refused="verification.refused",
    problem=VerificationFailed,
)


class EmailService:
    """Verifies addresses."""

    def __init__(self, *, database: Database, proofs: Proofs, metrics: Metrics) -> None:
        self._database = database
        self._proofs = proofs
        self._metrics = metrics

    async def resend(self, given: Unproved, call: Call) -> None:
        """Promise a letter; the same work for everybody tells nobody (docs/enumeration.md)."""
        async with self._database.transaction(call.actor) as storage:
            user_id = await storage.users.id_of(given.email)
            await storage.audit.note("verification.requested", subject=user_id)
            await storage.outbox.put(SendVerification(user_id or NOBODY))

    async def verify(self, given: Verification, call: Call) -> None:
        """Mark an address as its owner's; raise VerificationFailed, always for the same reason.

        A wrong code counts, also when it was guessed at the same time as others: after five the
        letter's code is worthless, and the address has to wait (TooMany).
        """
        stages = self._metrics.verifications
        proof = await self._proofs.find(_LETTER, given, call, stages=stages)
        async with self._database.transaction(call.actor) as storage:
            verified = await self._apply(storage, proof)
        stages.labels("verified" if verified else "refused").inc()
        if not verified:
            raise VerificationFailed

    @staticmethod
    async def _apply(storage: Storage, proof: Proof) -> bool:
        """Spend the proof and mark the address; False when somebody was faster or it is gone."""
        living = await storage.credentials.lock(proof.user_id)
        if not living or not await storage.email_verifications.spend(proof.id):
            return False
        verified = await storage.users.verify_email(proof.user_id, proof.email)
        outcome = Outcome.SUCCESS if verified else Outcome.FAILURE
        await storage.audit.note("user.email_verified", subject=proof.user_id, outcome=outcome)
        return verified
