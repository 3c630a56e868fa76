"""Settings of the gateway that cannot work, as far as everybody but the gateway itself needs them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from django.conf import settings
from django.core.checks import CheckMessage, Error

from clusters.gateway_address import gateway_urls


def gateway_settings() -> Iterator[CheckMessage]:
    """What is wrong with GATEWAY_URL, GATEWAY_URLS, GATEWAY_CA_FILE and GATEWAY_TOKEN_SECONDS."""
    try:
        regions = gateway_urls()
    except ValueError as error:
        yield Error(
            f"GATEWAY_URLS: {error}", hint='For example {"eu": "https://gateway.eu.example.com"}.', id="marina.E005"
        )
        regions = {}
    named = {"GATEWAY_URL": settings.GATEWAY_URL, **{f"GATEWAY_URLS, {name}": url for name, url in regions.items()}}
    for name, url in named.items():
        if url and (urlsplit(url).scheme != "https" or not urlsplit(url).hostname):
            yield Error(f"{name} is no https address: kubectl sends no token over anything else.", id="marina.E005")
        elif url and urlsplit(url).netloc == urlsplit(settings.PUBLIC_URL).netloc:
            yield Error(
                f"{name} is the address of the pages. What tenants' clusters answer must not come from there.",
                hint="Give the gateway a host name of its own (or, on one machine, a port).",
                id="marina.E005",
            )
    yield from _ca_file()
    if not 60 <= settings.GATEWAY_TOKEN_SECONDS <= 3600:
        yield Error("GATEWAY_TOKEN_SECONDS has to be from 60 to 3600.", id="marina.E005")


def _ca_file() -> Iterator[CheckMessage]:
    if not settings.GATEWAY_CA_FILE:
        return
    try:
        text = Path(settings.GATEWAY_CA_FILE).read_bytes()
        x509.load_pem_x509_certificates(text)
    except OSError as error:
        yield Error(f"GATEWAY_CA_FILE cannot be read: {error.strerror}.", id="marina.E005")
    except ValueError:
        yield Error("GATEWAY_CA_FILE holds no certificate in PEM.", id="marina.E005")
    else:
        if b"PRIVATE KEY" in text:
            yield Error("GATEWAY_CA_FILE holds a private key, and all of it is put into kubeconfigs.", id="marina.E005")
