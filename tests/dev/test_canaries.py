"""The search for secrets finds what is there, wherever and however it was written."""

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from accounts.api.dry_run import PLACEHOLDER
from dev.backing import Backing
from dev.settings_names import ROOT
from tests.canaries import CANARIES, Canaries, Written, made_canaries, nowhere_in

TOKEN = "mar_abcd1234_" + secrets.token_urlsafe(32)
PART = TOKEN.split("_", 2)[2]


@pytest.fixture
def canaries() -> Canaries:
    own = Canaries()
    own.add(TOKEN, "the token")
    return own


def test_it_is_found_in_tables_also_as_bytes_in_the_broker_and_in_logs(
    backing: Backing, canaries: Canaries, tmp_path: Path
) -> None:
    assert backing.postgres
    assert backing.valkey
    url = backing.postgres.create_database("canaries")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain AS SELECT 1 AS id, %s::text AS said", [f"Bearer {TOKEN}"])
        connection.execute("CREATE TABLE bytes AS SELECT 1 AS id, %s::bytea AS said", [TOKEN.encode()])
        connection.execute("CREATE TABLE clean AS SELECT 1 AS id, 'nothing' AS said")
    redis.Redis.from_url(backing.valkey.url(5)).rpush("queue", base64.b64encode(f'{{"token": "{TOKEN}"}}'.encode()))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text(f"GET /?token={TOKEN}\n")
    (tmp_path / "logs" / "clean.log").write_text("GET / mar_abcd1234_...\n")
    written = Written(databases=[url], brokers=[backing.valkey.url(5)], folders=[tmp_path / "logs"])
    assert written.found(canaries, tmp_path) == [
        "the token is in table bytes",
        "the token is in table plain",
        "the token is in the broker",
        "the token is in web.log",
    ]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs"], "copies are removed"
    redis.Redis.from_url(backing.valkey.url(5)).flushdb()
    with psycopg.connect(backing.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE canaries")


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_it_is_found_inside_of_base64_wherever_it_begins(canaries: Canaries, tmp_path: Path, before: str) -> None:
    (tmp_path / "log").write_bytes(base64.b64encode(f"{before}{TOKEN}tail".encode()))
    assert canaries.found_in_files([tmp_path / "log"]) == ["the token is in log"]


def test_of_each_kind_of_secret_the_part_counts_that_makes_it_usable() -> None:
    own = Canaries()
    own.add("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "web token")
    own.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n", "key")
    own.add("short", "nothing")
    own.add("https://marina.example/invitations/aSecretOfALink", "link")
    own.add("otpauth://totp/Marina:ana?issuer=Marina&secret=JBSWY3DPEHPK3PXP", "seed")
    assert own.secrets == {
        "c2lnbmF0dXJl": "web token",
        "hkiG9w0BAQEFAASC": "key",
        "aSecretOfALink": "link",
        "JBSWY3DPEHPK3PXP": "seed",
    }


def test_of_an_answer_the_fields_count_that_its_view_calls_secret(monkeypatch) -> None:
    own = Canaries()
    monkeypatch.setattr("tests.canaries.CANARIES", own)
    made = {"token": TOKEN, "name": "a-name-of-it", "recovery_codes": ["12345678", "23456789", "34567890"]}
    made_canaries(made, ("token", "link", "recovery_codes"), "POST x")
    assert set(own.secrets) == {PART, "12345678", "23456789"}
    made_canaries({"secret": PLACEHOLDER}, ("secret",), "POST x")
    assert len(own.secrets) == 3


def test_what_is_written_in_a_test_that_is_rolled_back_is_looked_at_before() -> None:
    CANARIES.add("canary-of-this-test-only", "the canary")
    try:
        with pytest.raises(AssertionError, match="the canary found in the audit log"):
            nowhere_in([("id", {"details": "canary-of-this-test-only"})], "the audit log")
    finally:
        del CANARIES.secrets["canary-of-this-test-only"]


def test_a_run_that_wrote_a_secret_down_fails_and_says_where(tmp_path: Path) -> None:
    test = tmp_path / "test_leak.py"
    test.write_text(
        "import logging\n"
        "from tests.canaries import canary\n"
        "def test_it():\n"
        "    secret = canary('leaky-secret-1234', 'the secret of this test')\n"
        "    logging.getLogger('x').warning('it is %s', secret)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, test],
        cwd=ROOT,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout
    assert "the secret of this test is in pytest.log" in done.stdout
