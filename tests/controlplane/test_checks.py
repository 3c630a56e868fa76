"""Settings that cannot work are told at the start, not to the first person who meets them."""

import os
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from controlplane.checks import settings_check, settings_require
from controlplane.gateway_check import gateway_settings
from dev.settings_names import ROOT
from tests.clusters.rules.kubeconfigs import CA_PEM, CLIENT_KEY_PEM


def test_the_settings_of_this_run_are_well():
    assert settings_check() == []
    call_command("check")
    settings_require()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "MARINA_ENCRYPTION_KEYS is not set"),
        (["too-short"], "Number 1 of MARINA_ENCRYPTION_KEYS is no Fernet key"),
        ([Fernet.generate_key().decode(), "ümlaut"], "Number 2 of MARINA_ENCRYPTION_KEYS is no Fernet key"),
        ([Fernet.generate_key().decode(), ""], "Number 2 of MARINA_ENCRYPTION_KEYS is no Fernet key"),
    ],
)
def test_missing_and_malformed_encryption_keys_are_an_error_that_quotes_none(settings, keys, says):
    settings.MARINA_ENCRYPTION_KEYS = keys
    with pytest.raises(SystemCheckError, match=says) as told:
        call_command("check")
    with pytest.raises(ImproperlyConfigured, match=says):
        settings_require()
    assert not any(key in str(told.value) for key in keys if key)


@pytest.mark.parametrize("name", ["SIGN_IN_RATE", "SIGN_IN_ADDRESS_RATE"])
def test_a_rate_that_is_none_is_an_error(settings, name):
    setattr(settings, name, "often")
    with pytest.raises(SystemCheckError, match=f"{name}: 'often' is no rate"):
        call_command("check")


@pytest.mark.parametrize(
    ("redirect", "header", "ids"),
    [
        (True, None, ["marina.W001"]),
        (True, ("HTTP_X_FORWARDED_PROTO", "https"), []),
        (False, None, []),
    ],
)
def test_https_that_nobody_sees_is_told_as_the_loop_that_it_is(settings, redirect, header, ids):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_PROXY_SSL_HEADER = redirect, header
    assert [each.id for each in settings_check()] == ids


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_web_server_does_not_start_without_encryption_keys():
    assert python("import controlplane.wsgi").returncode == 0
    done = python("import controlplane.wsgi", MARINA_ENCRYPTION_KEYS="")
    assert done.returncode != 0
    assert "MARINA_ENCRYPTION_KEYS is not set" in done.stderr


def test_https_binds_no_name_but_its_own():
    code = (
        "from controlplane import settings as s\n"
        "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    )
    assert python(code, MARINA_PUBLIC_URL="https://marina.example").stdout.split() == ["31536000", "False", "False"]


def test_mail_with_two_ways_to_begin_tls_is_an_error(settings):
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = True
    with pytest.raises(SystemCheckError, match="EMAIL_USE_TLS and EMAIL_USE_SSL are both on"):
        call_command("check")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GATEWAY_URL", "http://gateway.example.com", "no https address"),
        ("GATEWAY_URL", "gateway.example.com", "no https address"),
        ("GATEWAY_URL", "https://marina.example.com/kube", "address of the pages"),
        ("GATEWAY_URLS", "{", "GATEWAY_URLS"),
        ("GATEWAY_URLS", '["https://x"]', "no JSON object"),
        ("GATEWAY_URLS", '{"eu": 1}', "no JSON object"),
        ("GATEWAY_URLS", '{"eu": "http://x.example"}', "GATEWAY_URLS, eu is no https"),
        ("GATEWAY_CA_FILE", "/nowhere.pem", "cannot be read"),
        ("GATEWAY_CA_FILE", __file__, "no certificate"),
        ("GATEWAY_TOKEN_SECONDS", 5, "from 60 to 3600"),
    ],
)
def test_settings_of_the_gateway_that_cannot_work_are_told(settings, name, value, told):
    settings.PUBLIC_URL = "https://marina.example.com"
    assert not list(gateway_settings())
    setattr(settings, name, value)
    (error,) = gateway_settings()
    assert error.id == "marina.E005"
    assert told in error.msg


def test_a_private_key_beside_the_ca_is_told_before_it_is_given_away(settings, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text(f"{CA_PEM}{CLIENT_KEY_PEM}")
    settings.GATEWAY_CA_FILE = str(file)
    (error,) = gateway_settings()
    assert "private key" in error.msg
    file.write_text(CA_PEM)
    assert not list(gateway_settings())
