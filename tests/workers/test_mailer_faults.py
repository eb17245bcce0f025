"""The mailer against servers that go wrong: every stage of a conversation in every way."""

import asyncio
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.workers.certificates import Certified, certify
from tests.workers.moody import Fault, Moody, Stage, moody
from workers.mailer import FolderMailer, SmtpMailer
from workers.outcomes import GivenUp, LeftMidway, RefusedForNow, ServerAway

# Before MAIL no letter was named, so none can be to blame.
ARRIVING = (Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.HANDSHAKE, Stage.AUTH)
HANDING_OVER = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END)
ILL = (
    *(Fault.HANGS, Fault.TRICKLES, Fault.CLOSES),
    *(Fault.GARBAGE, Fault.NUMBERS, Fault.ENDLESS, Fault.TOO_EARLY),
)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("certificates"))


def letter() -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Hello"
    message["From"] = "Ostiary <no-reply@example.org>"
    message["To"] = "Ada <ada@example.com>"
    message["Message-ID"] = "<0193@example.org>"
    message.set_content("Hello Ada")
    return message


def url_of(server: Moody, certified: Certified) -> str:
    return (
        f"smtp://ada:secret@127.0.0.1:{server.port}"
        f"?starttls=required&cafile={certified.authority}&timeout=0.75"
    )


async def sent(server: Moody, certified: Certified) -> str:
    """Send a letter; return the answer, or the name of what was raised, and be quick about it."""
    started = time.monotonic()
    try:
        return await SmtpMailer(url_of(server, certified)).send(letter())
    except Exception as error:  # noqa: BLE001 - its name is what the test looks at
        return type(error).__name__
    finally:
        assert time.monotonic() - started < 4


@pytest.mark.parametrize("fault", [*ILL, Fault.NOT_NOW, Fault.LEAVING, Fault.NEVER])
@pytest.mark.parametrize("stage", ARRIVING)
async def test_whoever_cannot_be_reached_is_away_and_no_letter_to_blame(
    certified: Certified, stage: Stage, fault: Fault
) -> None:
    server = Moody(at=stage, fault=fault, context=certified.server)
    async with moody(server):
        outcome = await sent(server, certified)

    assert outcome == ServerAway.__name__
    assert server.letters == []


@pytest.mark.parametrize("fault", ILL)
@pytest.mark.parametrize("stage", HANDING_OVER)
async def test_whoever_falls_ill_over_a_letter_is_away_and_the_letter_suspect(
    certified: Certified, stage: Stage, fault: Fault
) -> None:
    server = Moody(at=stage, fault=fault, context=certified.server)
    async with moody(server):
        outcome = await sent(server, certified)

    assert outcome == LeftMidway.__name__
    assert server.letters == []


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.NOT_NOW, RefusedForNow),
        (Fault.LEAVING, ServerAway),
        (Fault.NEVER, GivenUp),
    ],
)
@pytest.mark.parametrize("stage", HANDING_OVER)
async def test_an_answer_about_a_letter_is_taken_at_its_word(
    certified: Certified, stage: Stage, fault: Fault, outcome: type[Exception]
) -> None:
    server = Moody(at=stage, fault=fault, context=certified.server)
    async with moody(server):
        assert await sent(server, certified) == outcome.__name__

    assert server.letters == []


@pytest.mark.parametrize(
    "stage", [stage for stage in Stage if stage not in {Stage.EHLO, Stage.HANDSHAKE}]
)
async def test_a_yes_in_any_bytes_is_a_yes(certified: Certified, stage: Stage) -> None:
    server = Moody(at=stage, fault=Fault.EIGHT_BIT, context=certified.server)
    async with moody(server):
        answer = await sent(server, certified)

    assert answer.isprintable()
    assert len(server.letters) == 1


async def test_a_server_slow_at_every_step_is_away_before_the_job_runs_out_of_time(
    certified: Certified,
) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go on", b"250 taken"):
            await asyncio.sleep(0.2)  # within the time-out, each of them
            writer.write(said + b"\r\n")
            await reader.readline()

    server = Moody()
    server.talk = slow  # type: ignore[method-assign]
    async with moody(server):
        mailer = SmtpMailer(f"{server.url}&timeout=0.5")
        with pytest.raises(ServerAway):
            await asyncio.wait_for(mailer.send(letter()), 2)


@pytest.mark.parametrize(("given", "taken"), [("5", 5.0), ("900", 20.0), ("0", 20.0), ("x", 20.0)])
def test_patience_can_be_shortened_and_not_stretched(given: str, taken: float) -> None:
    assert SmtpMailer(f"smtp://127.0.0.1:25?timeout={given}").timeout == taken


async def test_a_full_disk_is_a_server_away_and_leaves_no_half_letter(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "0193.part").symlink_to("/dev/full")  # what is written there finds no space

    with pytest.raises(ServerAway, match="No space left"):
        await FolderMailer(folder).send(letter())

    assert list(folder.iterdir()) == []


async def test_a_folder_that_cannot_be_made_is_a_server_away(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")

    with pytest.raises(ServerAway, match="FileExistsError"):
        await FolderMailer(tmp_path / "mail").send(letter())


async def test_a_stop_while_the_server_says_goodbye_loses_no_answer(certified: Certified) -> None:
    async with moody(Moody(at=Stage.QUIT, context=certified.server)) as server:
        sending = asyncio.create_task(SmtpMailer(url_of(server, certified)).send(letter()))
        await asyncio.sleep(0.4)  # by then it waits for the goodbye, for two seconds
        assert server.letters

        sending.cancel()

        assert await sending == "taken"
