"""What is asked of an installation, and what is assumed of the people who ask."""

from dataclasses import dataclass

from ops.capacity.costs import Work
from ops.settings import Settings

DAY = 86_400
_MOST = 10_000_000_000

# Assumed of everybody; what they come to is printed, so that an operator can compare.
REQUESTS_PER_LOGIN = 40
FAILURES_PER_LOGIN = 0.1
HOURS_IN_USE_PER_LOGIN = 1
# Of all requests of people who are signed in.
REQUEST_MIX = {Work.ME: 0.70, Work.READ: 0.27, Work.LIST: 0.01, Work.CHANGE: 0.02}
# Of all letters: resets and invitations have a line of the Procfile to themselves.
LETTER_MIX = {"emails": 0.8, "passwords": 0.2}


class DemandInvalid(ValueError):  # noqa: N818 - read as a sentence where it is caught
    """The demand cannot be; the text says which number, and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """People, what they do in a day, and how much of it comes at once.

    `requests_per_second` is that of the busiest hour, beside sign-ins and refreshes; None: 40 a
    sign-in. `core_speed` is that of a core against the one in docs/BENCHMARKS.md, `machine_cores`
    how many the machine has of which limits are told.
    """

    users: int
    logins_per_day: int
    letters_per_day: int
    requests_per_second: float | None = None
    peak_factor: float = 10
    core_speed: float = 1
    machine_cores: int = 2

    def __post_init__(self) -> None:
        """Raise DemandInvalid for numbers that cannot be."""
        for name in ("users", "logins_per_day", "letters_per_day", "requests_per_second"):
            if not 0 <= (getattr(self, name) or 0) <= _MOST:
                raise DemandInvalid(f"{_option(name)}: from 0 to {_MOST:,}")
        if self.machine_cores < 1:
            raise DemandInvalid("--cores: 1 or more")
        if not 1 <= self.peak_factor <= DAY:
            raise DemandInvalid(f"{_option('peak_factor')}: from 1 (no peak) to {DAY:,}")
        if not 0.01 <= self.core_speed <= 100:  # noqa: PLR2004 - beyond that it is a slip
            raise DemandInvalid(f"{_option('core_speed')}: from 0.01 to 100")

    def a_day(self, settings: Settings) -> dict[Work, float]:
        """Return how often each kind of work but a request is done in a day."""
        logins = self.logins_per_day
        refreshes = logins * HOURS_IN_USE_PER_LOGIN * 3_600 / settings.access_token_ttl
        failures = logins * FAILURES_PER_LOGIN
        return {
            Work.LOGIN: logins,
            Work.FAILURE: failures,
            Work.REFRESH: refreshes,
            Work.LETTER: self.letters_per_day,
            Work.EVENT: logins + failures + self._audited_requests_a_day(),
        }

    def at_peak(self, settings: Settings) -> dict[Work, float]:
        """Return how often each kind of work is done in a second of the busiest hour."""
        steady = {work: self._at_peak(often) for work, often in self.a_day(settings).items()}
        return steady | {work: self._requests * share for work, share in REQUEST_MIX.items()}

    @property
    def _requests(self) -> float:
        if self.requests_per_second is not None:
            return self.requests_per_second
        return self._at_peak(self.logins_per_day * REQUESTS_PER_LOGIN)

    def requests_a_day(self) -> float:
        """Return how many requests people who are signed in send in a day."""
        return self._requests * DAY / self.peak_factor

    def _audited_requests_a_day(self) -> float:
        return self.requests_a_day() * (REQUEST_MIX[Work.CHANGE] + REQUEST_MIX[Work.LIST])

    def _at_peak(self, a_day: float) -> float:
        return a_day / DAY * self.peak_factor


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
