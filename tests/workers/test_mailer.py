"""The mailer against real SMTP servers: what it sends, what it refuses, how it takes an answer."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.factories import free_port
from tests.workers.certificates import Certified, certify
from tests.workers.smtp import Sink, Speak, listening, speaking
from workers.mailer import FolderMailer, SmtpMailer
from workers.outcomes import GivenUp, LeftMidway, ServerAway


def letter() -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Grüße"
    message["From"] = "Ostiary <no-reply@example.org>"
    message["To"] = "Ada <ada@example.com>"
    message["Message-ID"] = "<0193@example.org>"
    message.set_content("Grüße an Ada")
    return message


def saying(*lines: bytes) -> Speak:
    """Answer the greeting and each command with the next line, then fall silent."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line + b"\r\n")
            await writer.drain()
            if not await reader.readline():
                return
        await reader.read()

    return speak


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with listening(Sink()) as running:
        yield running


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("certificates"))


async def test_a_letter_is_handed_over_whole_and_the_answer_returned(sink: Sink) -> None:
    answer = await SmtpMailer(sink.url).send(letter())

    assert answer == "taken"
    (came,) = sink.letters
    assert came["Subject"] == "Grüße"
    assert came.get_content().strip() == "Grüße an Ada"
    assert sink.recipients == [["ada@example.com"]]


async def test_starttls_is_used_where_it_is_offered(certified: Certified) -> None:
    async with listening(Sink(), tls_context=certified.server) as sink:
        url = f"smtp://127.0.0.1:{sink.port}?starttls={{}}&cafile={certified.authority}"
        for way in ("required", "optional"):
            await SmtpMailer(url.format(way)).send(letter())

    assert sink.encrypted == [True, True]


@pytest.mark.parametrize("way", ["required", "requierd", ""])
async def test_no_letter_goes_in_clear_where_tls_is_required(sink: Sink, way: str) -> None:
    url = f"smtp://127.0.0.1:{sink.port}?starttls={way}"
    if not way:  # a password must be protected even if nobody said so
        url = f"smtp://ada:secret@127.0.0.1:{sink.port}"

    with pytest.raises(ServerAway, match="STARTTLS"):
        await SmtpMailer(url).send(letter())

    assert sink.begun == 0
    assert sink.logins == []


async def test_smtps_encrypts_from_the_first_byte(certified: Certified) -> None:
    async with listening(Sink(), implicit=certified.server) as sink:
        url = f"smtps://127.0.0.1:{sink.port}?cafile={certified.authority}"
        await SmtpMailer(url).send(letter())

    assert len(sink.letters) == 1


async def test_a_certificate_of_nobody_we_trust_is_refused(certified: Certified) -> None:
    async with listening(Sink(), implicit=certified.server) as sink:
        with pytest.raises(ServerAway, match="certificate verify failed"):
            await SmtpMailer(f"smtps://127.0.0.1:{sink.port}").send(letter())

    assert sink.begun == 0


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    other = certify(tmp_path, host="127.0.0.2")
    async with listening(Sink(), implicit=other.server) as sink:
        url = f"smtps://127.0.0.1:{sink.port}?cafile={other.authority}"
        with pytest.raises(ServerAway, match="certificate"):
            await SmtpMailer(url).send(letter())

    assert sink.begun == 0


async def test_we_sign_in_with_the_password_of_the_url(certified: Certified) -> None:
    sink = Sink()
    async with listening(
        sink, tls_context=certified.server, authenticator=sink.sign_in, auth_required=True
    ):
        url = "smtp://ada:{}@127.0.0.1:{}?starttls=required&cafile={}"
        right = url.format(quote("right p@ss"), sink.port, certified.authority)
        await SmtpMailer(right).send(letter())
        await SmtpMailer(right).probe()
        with pytest.raises(ServerAway, match="535"):
            await SmtpMailer(url.format("wrong", sink.port, certified.authority)).send(letter())
        nobody = f"smtp://127.0.0.1:{sink.port}?cafile={certified.authority}"
        with pytest.raises(ServerAway, match="530"):
            await SmtpMailer(nobody).send(letter())

    assert len(sink.letters) == 1
    assert sink.logins[0] == (b"ada", b"right p@ss")


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_refusal_for_good_gives_up(sink: Sink, command: str) -> None:
    sink.answers[command] = "550 no such mailbox"

    with pytest.raises(GivenUp, match="550 no such mailbox"):
        await SmtpMailer(sink.url).send(letter())


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_refusal_for_now_is_an_ordinary_failure(sink: Sink, command: str) -> None:
    sink.answers[command] = "451 try again later"

    with pytest.raises(RuntimeError, match="451 try again later"):
        await SmtpMailer(sink.url).send(letter())


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_closes_is_away(sink: Sink, command: str) -> None:
    sink.answers[command] = "421 shutting down"

    with pytest.raises(ServerAway, match="421"):
        await SmtpMailer(sink.url).send(letter())


@pytest.mark.parametrize("code", ["250", "421", "451", "550"])
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_what_a_server_says_is_kept_without_anybodys_address(
    sink: Sink, command: str, code: str
) -> None:
    sink.answers[command] = (
        f"{code} <ADA@Example.com>: not ada@example.com,"
        " see https://a.example/?id=ada%40example.com; or ask bob=b.example@c.example"
    )
    try:
        said = await SmtpMailer(sink.url).send(letter())
    except (GivenUp, RuntimeError, ServerAway) as error:
        said = str(error)

    if code == "250" and command != "DATA":
        assert said == "taken"
        return
    for hidden in ("ada", "bob", "example.com", "%40"):
        assert hidden not in said.lower()
    assert "<[recipient]>: not [recipient]," in said
    assert "[recipient]; or ask [address]" in said


async def test_an_address_that_the_cut_of_an_answer_goes_through_is_hidden_too(sink: Sink) -> None:
    for length in range(170, 200):
        sink.answers["DATA"] = f"250 {'x' * length} ada@example.com"
        answer = await SmtpMailer(sink.url).send(letter())

        assert "ada" not in answer


async def test_our_own_address_and_the_letters_id_stay_in_an_answer(sink: Sink) -> None:
    sink.answers["DATA"] = "250 No-Reply@example.org: <0193@example.org> queued"

    answer = await SmtpMailer(sink.url).send(letter())

    assert answer == "No-Reply@example.org: <0193@example.org> queued"


async def test_a_server_that_greets_nobody_is_quoted_without_addresses() -> None:
    async with speaking(saying(b"554 go away, ask postmaster@c.example")) as url:
        with pytest.raises(ServerAway, match=r"ask \[address\]") as away:
            await SmtpMailer(url).send(letter())

    assert "c.example" not in str(away.value)


async def test_a_refused_connection_is_a_server_away() -> None:
    with pytest.raises(ServerAway) as away:
        await SmtpMailer(f"smtp://127.0.0.1:{free_port()}").send(letter())

    assert not isinstance(away.value, LeftMidway)  # no letter is to blame


async def test_hanging_at_data_is_a_server_away_in_the_middle_of_a_letter() -> None:
    async with (
        speaking(saying(b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go on")) as url,
        asyncio.timeout(3),
    ):
        with pytest.raises(LeftMidway):
            await SmtpMailer(f"{url}&timeout=0.3").send(letter())


@pytest.mark.parametrize(
    "lines", [(), (b"554 your network is blocked",), (b"220 hi", b"550 go away", b"550 go away")]
)
async def test_a_server_that_greets_nobody_is_away_and_no_letter_to_blame(
    lines: tuple[bytes, ...],
) -> None:
    async with speaking(saying(*lines)) as url:
        with pytest.raises(ServerAway) as away:
            await SmtpMailer(f"{url}&timeout=0.3").send(letter())

    assert not isinstance(away.value, LeftMidway)


async def test_an_answer_in_no_known_encoding_becomes_one_printable_line() -> None:
    lines = (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go on")
    said: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            writer.write(line + b"\r\n")
            said.append(await reader.readline())
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 re\xe7u\x00 \x1b[1m\r\n")
        await reader.readline()

    async with speaking(speak) as url:
        answer = await SmtpMailer(url).send(letter())

    assert answer == "re u [1m"


async def test_in_development_letters_are_files_and_a_second_try_the_same_file(
    tmp_path: Path,
) -> None:
    mailer = FolderMailer(tmp_path / "mail")

    for _ in range(2):
        assert await mailer.send(letter()) == "kept as 0193.eml"

    (kept,) = (tmp_path / "mail").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"Message-ID: <0193@example.org>" in kept.read_bytes()
