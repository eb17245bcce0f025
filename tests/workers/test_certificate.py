"""The certificate at PUBLIC_URL: the clock sees when it ends, from a real TLS server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import MakeSettings
from tests.factories import free_port
from workers.certificate import certificate_end
from workers.clock import Clock
from workers.toolbox import Tools

END = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


def self_signed(folder: Path) -> Path:
    """Write a certificate of nobody's, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(END - timedelta(days=90))
        .not_valid_after(END)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    secret = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(form) + secret)
    return file


@pytest.fixture
async def public_url(tmp_path: Path) -> AsyncIterator[str]:
    """Run a server that shows the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", free_port(), ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def test_the_end_of_a_certificate_is_seen_whoever_signed_it(public_url: str) -> None:
    assert await certificate_end(public_url) == END.timestamp()


async def test_without_https_there_is_none_and_nobody_is_asked() -> None:
    assert await certificate_end(f"http://localhost:{free_port()}") is None


async def test_the_clock_tells_what_it_saw_last_while_nobody_answers(
    tools: Tools, make_settings: MakeSettings, public_url: str
) -> None:
    gone = f"https://localhost:{free_port()}"
    seen = tools.metrics.certificate_end

    for address in (public_url, gone):
        settings = make_settings(public_url=address)
        await Clock(replace(tools, settings=settings)).look_at_certificate()

    [family] = seen.collect()
    assert family.samples[0].value == END.timestamp()
    with pytest.raises(OSError, match=r"refused|failed"):
        await certificate_end(gone)
