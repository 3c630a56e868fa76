"""Settings that cannot work are told by `manage.py check`, by `migrate`, and when the web server starts."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Warned
from django.core.exceptions import ImproperlyConfigured

from accounts.encryption import encrypter
from accounts.oidc.issuers import issuers
from accounts.sign_in import Rate
from clusters.lifecycle.support import support_ends, warn_spans
from controlplane.gateway_check import gateway_settings


def settings_check(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Everything that is wrong, as Django's checks have it. No message quotes a key."""
    return [*_encryption_keys(), *_rates(), *_issuers(), *_mail(), *_support(), *gateway_settings(), *_redirect_loop()]


def settings_require() -> None:
    """Raises ImproperlyConfigured, with everything that is wrong, where Marina could not do its work."""
    wrong = [each for each in settings_check() if each.is_serious()]
    if wrong:
        raise ImproperlyConfigured(" ".join(each.msg for each in wrong))


def _encryption_keys() -> Iterator[CheckMessage]:
    try:
        encrypter()
    except ImproperlyConfigured as error:
        yield Error(str(error), id="marina.E001")


def _rates() -> Iterator[CheckMessage]:
    for name in ("SIGN_IN_RATE", "SIGN_IN_ADDRESS_RATE", "FEDERATION_RATE", "API_RATE", "API_WRITE_RATE"):
        try:
            Rate.parse(getattr(settings, name))
        except ValueError as error:
            yield Error(f"{name}: {error}", id="marina.E002")


def _mail() -> Iterator[CheckMessage]:
    if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        yield Error(
            "EMAIL_USE_TLS and EMAIL_USE_SSL are both on: STARTTLS begins without TLS, the other with it.",
            hint="On port 465 set EMAIL_USE_TLS=false, on port 587 EMAIL_USE_SSL=false.",
            id="marina.E004",
        )


def _support() -> Iterator[CheckMessage]:
    for name, read in (("KUBERNETES_END_OF_SUPPORT", support_ends), ("UPGRADE_WARN_BEFORE_SECONDS", warn_spans)):
        try:
            read()
        except ValueError as error:
            yield Error(f"{name}: {error}", id="marina.E020")


def _issuers() -> Iterator[CheckMessage]:
    try:
        issuers()
    except ImproperlyConfigured as error:
        yield Error(str(error), id="marina.E003")


def _redirect_loop() -> Iterator[CheckMessage]:
    if settings.SECURE_SSL_REDIRECT and settings.SECURE_PROXY_SSL_HEADER is None:
        yield Warned(
            "SECURE_SSL_REDIRECT is on (as with every https MARINA_PUBLIC_URL), but BEHIND_TLS_PROXY is off: every "
            "request looks like http and is sent on to https, for ever, unless this web server ends TLS itself.",
            hint="Set BEHIND_TLS_PROXY=true behind a proxy that ends TLS and always sets X-Forwarded-Proto.",
            id="marina.W001",
        )
