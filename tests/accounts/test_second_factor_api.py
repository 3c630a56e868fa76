"""Second factors by the API: a token alone changes nothing of them, and nothing of theirs is kept in clear."""

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts.api.dry_run import PLACEHOLDER
from accounts.errors import Conflict, NotAllowed
from accounts.models import AuditEvent, Notification, User
from accounts.services.audit import Actor
from accounts.services.second_factor_enrolment import HOLDS, enrolment_begin, enrolment_open
from accounts.services.second_factors import second_factor_remove, second_factor_reset
from tests.accounts.conftest import PASSWORD, person, signed_in
from tests.accounts.machines import machine
from tests.accounts.test_token_limits import client_of
from tests.accounts.totp import code_now, code_of, second_factor_given
from tests.canaries import canary

URL = "/api/v1/second-factor"


@pytest.fixture
def ana(db, quick_passwords) -> User:
    return person("ana", password=PASSWORD)


def ask(client, what: str, status: int = 201, **body):
    answer = client.post(f"{URL}/{what}", body, "json")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else {}


def begun(client):
    return ask(client, "begin", 200)


def enrolled(client, **proof: Any) -> tuple[str, list[str]]:
    """The seed and the recovery codes."""
    begin = begun(client)
    made = ask(client, "confirm", enrolment=begin["enrolment"], code=code_now(begin["secret"]), **proof)
    return begin["secret"], made["recovery_codes"]


def test_an_app_is_set_up_seen_renewed_and_turned_off_with_password_and_codes(ana):
    client = signed_in(ana)
    assert client.get(URL).json() == {
        "enabled": False,
        "since": None,
        "last_used_at": None,
        "recovery_codes_left": 0,
        "wanted": False,
    }
    secret, codes = enrolled(client, password=PASSWORD)
    state = client.get(URL).json()
    assert (state["enabled"], state["recovery_codes_left"], len(codes)) == (True, 10, 10)
    assert state["since"]
    fresh = ask(client, "recovery-codes", password=PASSWORD, code=code_now(secret, steps=1))["recovery_codes"]
    assert not set(fresh) & set(codes)
    ask(client, "turn-off", 400, password=PASSWORD, code=codes[0])
    ask(client, "turn-off", 204, password=PASSWORD, code=fresh[0])
    assert not Authenticator.objects.exists()
    told = Notification.objects.filter(recipient=ana, kind="second-factor").order_by("id")
    assert [re.split(r"[:;.]", each.text)[0] for each in told] == [
        "A second factor was set up for your account",
        "Your account got new recovery codes",
        "The second factor of your account was turned off",
    ]


def test_the_uri_is_what_apps_read(ana):
    begin = begun(signed_in(ana))
    assert begin["otpauth_uri"].startswith("otpauth://totp/")
    assert f"secret={begin['secret']}" in begin["otpauth_uri"]


def test_a_stolen_token_sets_nothing_up(ana):
    client = signed_in(ana)
    begin = begun(client)
    body = {"enrolment": begin["enrolment"], "code": code_now(begin["secret"])}
    assert ask(client, "confirm", 400, **body)["errors"][0]["field"] == "password"
    assert ask(client, "confirm", 400, **body, password="guessed")["errors"][0]["field"] == "password"
    assert not Authenticator.objects.exists()
    refused = AuditEvent.objects.filter(action="sign-in", result="failed")
    assert [row.details["why"] for row in refused] == ["The password that was asked for again did not fit."]


def test_a_stolen_token_turns_nothing_off_and_gets_no_codes(ana):
    second_factor_given(ana)
    client = signed_in(ana)
    for what in ("turn-off", "recovery-codes"):
        assert ask(client, what, 400)["errors"][0]["field"] == "code"
        assert ask(client, what, 400, code=code_of(ana))["errors"][0]["field"] == "password", "also with a code"
        assert ask(client, what, 400, code="000000", password=PASSWORD)["errors"][0]["field"] == "code"
    assert Authenticator.objects.count() == 1
    assert AuditEvent.objects.filter(action="sign-in", result="failed").count() == 2


def test_who_has_no_password_sets_up_in_the_browser_only(db):
    nils = person("nils")
    client = signed_in(nils)
    begin = begun(client)
    body = {"enrolment": begin["enrolment"], "code": code_now(begin["secret"])}
    assert "you have no password" in ask(client, "confirm", 403, **body)["detail"]
    session = Client()
    session.force_login(nils)
    answer = session.post(f"{URL}/confirm", json.dumps(body), "application/json")
    assert answer.status_code == 201
    canary(answer.json()["recovery_codes"][0], "a recovery code")
    ask(client, "turn-off", 204, code=code_now(begin["secret"], steps=1))


def test_a_session_sets_up_with_the_password_as_the_page_does(ana):
    session = Client()
    session.force_login(ana)
    begin = session.post(f"{URL}/begin", {}, "application/json").json()
    canary(begin["secret"], "the seed of a second factor")
    body = {"enrolment": begin["enrolment"], "code": code_now(begin["secret"])}
    assert session.post(f"{URL}/confirm", json.dumps(body), "application/json").status_code == 400
    answer = session.post(f"{URL}/confirm", json.dumps({**body, "password": PASSWORD}), "application/json")
    assert answer.status_code == 201
    canary(answer.json()["recovery_codes"][0], "a recovery code")


@pytest.mark.parametrize("what", ["confirm", "turn-off", "recovery-codes"])
def test_passwords_and_codes_are_tried_only_so_often(ana, settings, what):
    settings.SIGN_IN_RATE = "3/min"
    client = signed_in(ana)
    enrolment = begun(client)["enrolment"] if what == "confirm" else ""
    if what != "confirm":
        second_factor_given(ana)
    body = {"code": "000000", **({"enrolment": enrolment} if enrolment else {})}
    for _ in range(3):
        ask(client, what, 400, **body, password="wrong")
    ask(client, what, 429, **body, password=PASSWORD)


def test_codes_are_counted_too(ana, settings):
    settings.SIGN_IN_RATE = "3/min"
    person_with = person("nils")
    second_factor_given(person_with)
    client = signed_in(person_with)
    for _ in range(3):
        ask(client, "turn-off", 400, code="000000")
    ask(client, "turn-off", 429, code=code_of(person_with))


def test_limited_tokens_and_service_accounts_have_nothing_to_do_with_it(world, ana):
    limited, program = client_of(ana, actions=["project.view"]), signed_in(machine(world.payments).user)
    for client, said in ((limited, "limited token"), (program, "service account")):
        answers = [client.get(URL), client.post(f"{URL}/begin")]
        proof = {"password": PASSWORD, "code": "123456"}
        answers += [client.post(f"{URL}/{what}", proof, "json") for what in ("turn-off", "recovery-codes")]
        answers.append(client.post(f"{URL}/confirm", {**proof, "enrolment": "x"}, "json"))
        for answer in answers:
            assert answer.status_code == 403, answer.content
            assert said in answer.json()["detail"]


def test_a_sealed_seed_is_for_one_person_and_for_a_while(ana):
    now = timezone.now()
    made = enrolment_begin(user=ana, now=now)
    assert enrolment_open(user=ana, sealed=made.sealed, now=now) == canary(made.secret, "the seed of a second factor")
    eve = signed_in(person("eve", password=PASSWORD))
    body = {"enrolment": made.sealed, "code": code_now(made.secret), "password": PASSWORD}
    assert ask(eve, "confirm", 400, **body)["errors"][0]["field"] == "enrolment"
    with pytest.raises(Exception, match="too long ago"):
        enrolment_open(user=ana, sealed=made.sealed, now=now + HOLDS)
    assert ask(eve, "confirm", 400, **{**body, "enrolment": "nonsense"})["errors"][0]["field"] == "enrolment"


def test_with_one_there_is_no_second_and_without_one_nothing_to_turn_off(ana):
    client = signed_in(ana)
    ask(client, "turn-off", 409, code="123456", password=PASSWORD)
    enrolment = begun(client)["enrolment"]
    second_factor_given(ana)
    ask(client, "begin", 409)
    ask(client, "confirm", 409, enrolment=enrolment, code="123456", password=PASSWORD)


def test_a_dry_run_gives_no_secret_and_leaves_nothing(ana):
    client = signed_in(ana)
    shown = client.post(f"{URL}/begin?dry_run=true").json()
    assert {shown[key] for key in ("secret", "otpauth_uri", "enrolment")} == {PLACEHOLDER}
    begin = begun(client)
    body = {"enrolment": begin["enrolment"], "code": code_now(begin["secret"]), "password": PASSWORD}
    answer = client.post(f"{URL}/confirm?dry_run=true", body, "json")
    assert (answer.status_code, answer.json()) == (201, {"recovery_codes": [PLACEHOLDER]})
    assert not Authenticator.objects.exists()


# --- who lost it ------------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(db, quick_passwords) -> User:
    return person("op", password=PASSWORD, is_staff=True)


def test_platform_staff_reset_a_lost_one_with_their_own_password_and_the_person_is_told(ana, staff):
    second_factor_given(ana)
    client = signed_in(staff)
    assert ask(client, "reset", 400, user="ana")["errors"][0]["field"] == "password"
    assert Authenticator.objects.exists()
    ask(client, "reset", 204, user="ana", password=PASSWORD)
    assert not Authenticator.objects.exists()
    row = AuditEvent.objects.get(action="user.second-factor.remove")
    assert (row.actor, row.object_name) == ("op", "ana")
    (told,) = Notification.objects.filter(recipient=ana, kind="second-factor")
    assert "op of the platform's staff removed the second factor" in told.text
    ask(client, "reset", 409, user="ana", password=PASSWORD)
    ask(client, "reset", 404, user="nobody", password=PASSWORD)


def test_staff_who_have_a_second_factor_show_a_code_of_it(ana, staff):
    second_factor_given(ana)
    second_factor_given(staff)
    client = signed_in(staff)
    assert ask(client, "reset", 400, user="ana", password=PASSWORD)["errors"][0]["field"] == "code"
    ask(client, "reset", 204, user="ana", password=PASSWORD, code=code_of(staff))


def test_nobody_else_resets_one_and_staff_not_their_own_nor_a_superusers(ana, staff):
    root = person("root", is_staff=True, is_superuser=True)
    for user in (ana, staff, root):
        second_factor_given(user)
    assert "Only platform staff" in ask(signed_in(ana), "reset", 403, user="op", password=PASSWORD)["detail"]
    now, actor = timezone.now(), Actor(user=staff)
    with pytest.raises(Conflict, match="with a code of it"):
        second_factor_reset(actor=actor, user=staff, now=now)
    with pytest.raises(NotAllowed, match="superuser"):
        second_factor_reset(actor=actor, user=root, now=now)
    with pytest.raises(NotAllowed, match="only their own"):
        second_factor_remove(actor=actor, user=ana, now=now)
    assert Authenticator.objects.count() == 3


def test_who_runs_the_server_resets_one_by_a_command(ana, capsys):
    second_factor_given(ana)
    call_command("reset_second_factor", "ana")
    assert "ana has no second factor any more" in capsys.readouterr().err
    assert AuditEvent.objects.get(action="user.second-factor.remove").actor == "reset_second_factor"
    assert Notification.objects.filter(recipient=ana, kind="second-factor").count() == 1
    with pytest.raises(CommandError, match="had no second factor"):
        call_command("reset_second_factor", "ana")
    with pytest.raises(CommandError, match="no user"):
        call_command("reset_second_factor", "nobody")
