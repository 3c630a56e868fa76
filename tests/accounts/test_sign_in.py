"""Passwords can be tried only so often, wherever they are tried and whichever process counts."""

import subprocess
import sys
from base64 import b64encode

import pytest
from django.core.cache import caches
from rest_framework.test import APIClient

from accounts.sign_in import Rate, sign_in_count
from localkube.ports import free_ports
from tests.accounts.conftest import PASSWORD, person

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def _few(settings):
    settings.SIGN_IN_RATE, settings.SIGN_IN_ADDRESS_RATE = "3/min", "6/min"


@pytest.fixture
def ana(db):
    return person("ana", password=PASSWORD, is_staff=True)


def by_api(handle="ana", password="wrong", address=HERE):
    basic = "Basic " + b64encode(f"{handle}:{password}".encode()).decode()
    return APIClient().post(
        "/api/v1/access-tokens", {"name": "x"}, "json", HTTP_AUTHORIZATION=basic, REMOTE_ADDR=address
    )


def by_page(client, handle="ana", password="wrong", address=HERE):
    return client.post("/sign-in", {"login": handle, "password": password}, REMOTE_ADDR=address)


def test_who_tries_too_often_from_one_address_locks_out_nobody_elsewhere(ana):
    assert [by_api().status_code for _ in range(4)] == [401, 401, 401, 429]
    refused = by_api(password=PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert by_api(password=PASSWORD, address=THERE).status_code == 201


def test_who_tries_many_handles_is_refused_by_address(ana):
    tried = [by_api(handle=f"user-{number}").status_code for number in range(7)]
    assert tried == [401] * 6 + [429]
    assert by_api(password=PASSWORD).status_code == 429
    assert by_api(password=PASSWORD, address=THERE).status_code == 201


def test_passwords_are_kept_as_argon2_hashes(ana):
    assert ana.password.startswith("argon2$argon2id$")


def test_an_ipv6_network_counts_as_one_address_and_a_mapped_ipv4_address_as_itself(ana):
    tried = [by_api(address=f"2001:db8::{number:x}").status_code for number in range(1, 5)]
    assert tried == [401, 401, 401, 429]
    assert by_api(address="2001:db8:0:1::1").status_code == 401
    for number in range(4):
        assert sign_in_count(handle="ana", address=f"::ffff:192.0.2.{number}") == 0


def test_the_sign_in_page_counts_with_the_api_and_does_not_look_at_the_password(ana, client):
    assert [by_api().status_code for _ in range(2)] == [401, 401]
    assert "Too many tries" not in by_page(client).content.decode()
    for password in ("wrong", PASSWORD):
        answer = by_page(client, password=password)
        assert "Too many tries. Try again in 1 minute." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    by_page(client, password=PASSWORD, address=THERE)
    assert client.session["_auth_user_id"] == str(ana.pk)


def test_another_process_counts_on_where_this_one_was(ana, settings):
    for _ in range(2):
        assert sign_in_count(handle="ana", address=HERE) == 0
    other = (
        "import django; django.setup()\n"
        "from django.test.utils import override_settings\n"
        "from accounts.sign_in import sign_in_count\n"
        f"with override_settings(SIGN_IN_RATE='3/min', CACHES={_caches(settings)}):\n"
        "    print([sign_in_count(handle='ana', address='192.0.2.1') for _ in range(2)])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "controlplane.settings"}
    said = subprocess.run(
        [sys.executable, "-c", other], env=_environment(environment), capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[0, 60]"


def _caches(settings) -> dict[str, object]:
    shared = {key: value for key, value in settings.CACHES["sign_in"].items() if key != "OPTIONS"}
    return {"default": settings.CACHES["default"], "sign_in": shared}


def _environment(added):
    import os

    return {**os.environ, **added}


def test_a_count_ends_by_itself(ana):
    sign_in_count(handle="ana", address=HERE)
    shared = caches["sign_in"]
    client = shared._cache.get_client(write=True)  # type: ignore[attr-defined]
    keys = list(client.scan_iter(f"{shared.key_prefix}:*"))
    assert len(keys) == 2
    assert all(0 < client.ttl(key) <= 60 for key in keys)


def test_without_the_shared_cache_sign_in_works_and_this_process_counts_for_itself(ana, client, settings):
    away = {**settings.CACHES["sign_in"], "LOCATION": f"redis://127.0.0.1:{free_ports(1)[0]}/0"}
    settings.CACHES = {**settings.CACHES, "sign_in": away}
    assert by_api(password=PASSWORD).status_code == 201
    assert [by_api().status_code for _ in range(3)] == [401, 401, 429]
    assert "Too many tries" in by_page(client, password=PASSWORD).content.decode()
    by_page(client, password=PASSWORD, address=THERE)
    assert client.session["_auth_user_id"] == str(ana.pk)


@pytest.mark.parametrize(
    ("text", "rate"), [("20/min", (20, 60)), ("1/s", (1, 1)), ("5/hour", (5, 3600)), ("2/d", (2, 86400))]
)
def test_rates_are_written_as_tries_by_period(text, rate):
    assert Rate.parse(text) == Rate(*rate)


@pytest.mark.parametrize("text", ["", "20", "0/min", "-1/min", "x/min", "20/", "20/month", "20/min\n/"])
def test_what_is_no_rate_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="written like 20/min"):
        Rate.parse(text)
