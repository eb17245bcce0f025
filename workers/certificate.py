"""The certificate that people meet at PUBLIC_URL: an alarm tells of its end before browsers do."""

import asyncio
import ssl
from urllib.parse import urlsplit

from cryptography import x509

_PATIENCE_SECONDS = 5.0


async def certificate_end(public_url: str) -> float | None:
    """Return when the certificate of an https address ends, as a timestamp; None for http.

    Raises OSError when nobody answers there. Who signed it is for browsers to judge.
    """
    address = urlsplit(public_url)
    if address.scheme != "https":
        return None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        _, writer = await asyncio.open_connection(
            address.hostname,
            address.port or 443,
            ssl=_any_signer(),
            server_hostname=address.hostname,
        )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()


def _any_signer() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
