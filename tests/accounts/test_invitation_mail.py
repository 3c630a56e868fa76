"""The mail with an invitation's link, through a real server; its secret is readable in that mail and nowhere else."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.encryption import encrypter
from accounts.models import AuditEvent, Invitation, InvitationMail
from accounts.services.audit import Actor
from accounts.services.invitation_delivering import invitation_mail_deliver
from accounts.services.invitation_mails import invitation_links_rotate
from accounts.services.invitations import InvitationMade, invitation_create, invitation_resend
from accounts.sign_in import INVITATION_MAILS
from tests.accounts.conftest import give, person, signed_in
from tests.accounts.mail_server import MailServer, mail_settings
from tests.canaries import canary

NOW = timezone.now
URL = "/api/v1/invitations"
ADDRESS = "ana@example.org"


@pytest.fixture
def server(settings):
    running = MailServer()
    mail_settings(settings, running)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def olivia(world):
    """The client of acme's admin."""
    return signed_in(world.olivia)


def invite(client, **body):
    answer = client.post(URL, {"project": "acme/payments", "role": "developer", "email": ADDRESS, **body}, "json")
    assert answer.status_code == 201, answer.content
    canary(answer.json()["link"].rpartition("/")[2], "the secret of an invitation")
    return answer.json()


def deliver(**later: float) -> int:
    return invitation_mail_deliver(clock=lambda: NOW() + timedelta(**later))


def mail_of(client, made):
    return client.get(f"{URL}/{made['id']}").json()["mail"]


def accept(user, link: str):
    return signed_in(user).post(f"{URL}/accept", {"token": link.rpartition("/")[2]}, "json")


def link_in(mail) -> str:
    [link] = re.findall(r"https://\S+/invitations/\S+", mail.get_body(("plain",)).get_content())
    return str(link)


def test_the_mail_says_who_invites_to_what_and_its_link_gives_the_role(world, olivia, server):
    world.olivia.name = "Olivia <b>O."
    world.olivia.save()
    made = invite(olivia)
    assert made["mail"] == {"state": "pending", "sent_at": None, "error": ""}
    assert deliver() == 1
    (mail,) = server.mails
    assert mail["Subject"] == "[Marina] olivia invites you to acme/payments"
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (ADDRESS, "marina@example.org", "auto-generated")
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "Olivia <b>O. (olivia) invites you to the project acme/payments as developer." in plain
    assert "Olivia &lt;b&gt;O. (olivia)" in html
    assert link_in(mail) == made["link"]
    assert f'href="{made["link"]}"' in html
    shown = mail_of(olivia, made)
    assert (shown["state"], shown["error"], bool(shown["sent_at"])) == ("sent", "", True)
    assert accept(person("ana", email=ADDRESS), link_in(mail)).status_code == 200
    assert deliver() == 0


def test_the_link_stands_in_no_row_and_is_gone_once_the_mail_is(world, olivia, server):
    secret = invite(olivia)["link"].rpartition("/")[2]
    row = InvitationMail.objects.get()
    kept = bytes(row.secret or b"")
    assert encrypter().decrypt(kept).decode() == secret
    assert secret.encode() not in kept
    deliver()
    row.refresh_from_db()
    assert row.secret is None
    assert secret not in str(list(InvitationMail.objects.values()) + list(AuditEvent.objects.values()))


def test_without_a_mail_server_it_says_so_and_the_inviter_has_the_link(world, olivia):
    made = invite(olivia)
    assert made["link"]
    assert made["mail"]["state"] == "skipped"
    assert "sends no mail: hand the link over yourself" in made["mail"]["error"]
    assert InvitationMail.objects.get().secret is None
    assert invite(olivia, email="")["mail"] is None
    assert deliver() == 0


def test_a_server_that_is_away_is_tried_again_and_the_invitation_shows_it(world, olivia, server):
    server.stop()
    made = invite(olivia)
    deliver()
    shown = mail_of(olivia, made)
    assert shown["state"] == "pending"
    assert "cannot be reached" in shown["error"]
    assert deliver() == 0, "it waits a minute"
    server.start()
    assert deliver(minutes=1.1) == 1
    assert mail_of(olivia, made)["state"] == "sent"
    assert link_in(server.mails[0]) == made["link"], "the link that the inviter was shown"


def test_a_refused_address_is_shown_on_the_invitation_and_audited(world, olivia, server):
    server.refused = {ADDRESS: "550 No such user"}
    made = invite(olivia)
    deliver()
    assert mail_of(olivia, made)["state"] == "failed"
    assert mail_of(olivia, made)["error"] == "The mail server refused the recipient (550)."
    assert InvitationMail.objects.get().secret is None
    event = AuditEvent.objects.get(action="invitation.mail")
    assert (event.actor, event.result, event.organization_id) == ("marina", "failed", world.acme.pk)
    assert deliver(hours=1) == 0


def test_resending_makes_a_new_link_voids_the_old_and_mails_it(world, olivia, server):
    server.refused = {ADDRESS: "550 No such user"}
    made = invite(olivia)
    deliver()
    server.refused = {}
    answer = olivia.post(f"{URL}/{made['id']}/resend", {}, "json")
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store"
    again = answer.json()
    canary(again["link"].rpartition("/")[2], "the secret of an invitation")
    assert again["id"] == made["id"]
    assert again["mail"]["state"] == "pending"
    deliver()
    assert link_in(server.mails[0]) == again["link"] != made["link"]
    ana = person("ana", email=ADDRESS)
    assert accept(ana, made["link"]).status_code == 404
    assert accept(ana, again["link"]).status_code == 200
    actions = (
        AuditEvent.objects.filter(object_kind="invitation").order_by("created_at").values_list("action", flat=True)
    )
    assert list(actions) == [
        *("invitation.create", "invitation.mail", "invitation.resend", "invitation.mail", "invitation.accept")
    ]


def test_an_expired_one_is_opened_again_and_one_that_is_over_is_not(world, olivia):
    expired, revoked, used = invite(olivia), invite(olivia), invite(olivia)
    Invitation.objects.filter(pk=expired["id"]).update(expires_at=NOW())
    olivia.delete(f"{URL}/{revoked['id']}")
    accept(person("ana", email=ADDRESS), used["link"])
    again = olivia.post(f"{URL}/{expired['id']}/resend", {"expires_in": 3600}, "json").json()
    assert again["state"] == "open"
    for each, state in ((revoked, "revoked"), (used, "used")):
        refused = olivia.post(f"{URL}/{each['id']}/resend", {}, "json")
        assert (refused.status_code, refused.json()["detail"]) == (409, f"This invitation is {state}.")
    assert olivia.post(f"{URL}/{expired['id']}/resend", {"expires_in": 1}, "json").status_code == 400


def test_whoever_resends_is_the_inviter_so_the_link_gives_no_more_than_they_may(world):
    """Else an admin of a project would take in outsiders with a link that an admin of the organization began."""
    ada, outsider = person("ada"), person("outsider", email=ADDRESS)
    give(ada, "admin", world.payments)
    made = invitation_create(
        actor=Actor(user=world.olivia), scope=world.payments, role="viewer", email=ADDRESS, now=NOW()
    )
    again = invitation_resend(actor=Actor(user=ada), invitation=made.invitation, now=NOW())
    assert again.invitation.created_by == ada
    assert accept(outsider, again.link).status_code == 400
    assert AuditEvent.objects.get(action="invitation.resend").before["invited_by"] == "olivia"


@pytest.mark.parametrize("end", ["revoke", "accept", "expire"])
def test_nothing_is_mailed_of_an_invitation_that_is_over(world, olivia, server, end):
    made = invite(olivia)
    if end == "revoke":
        olivia.delete(f"{URL}/{made['id']}")
    elif end == "accept":
        accept(person("ana", email=ADDRESS), made["link"])
    else:
        Invitation.objects.update(expires_at=NOW())
    deliver(seconds=1)
    assert server.mails == []
    assert mail_of(olivia, made)["state"] == "skipped"
    assert InvitationMail.objects.get().secret is None


def test_a_mail_that_was_sent_while_a_new_link_was_made_says_nothing_of_the_new_one(world, olivia, server):
    made = invite(olivia)

    def clock():
        """The link is made anew between claiming and noting."""
        if server.mails and not done:
            done.append(invitation_resend(actor=Actor(user=world.olivia), invitation=row, now=NOW()))
        return NOW()

    row = Invitation.objects.get(pk=made["id"])
    done: list[InvitationMade] = []
    assert invitation_mail_deliver(clock=clock) == 1
    assert done
    assert mail_of(olivia, made)["state"] == "pending"
    deliver()
    assert link_in(server.mails[1]) == done[0].link


def test_one_that_was_killed_while_sending_is_followed_by_another_with_the_same_link_and_message_id(
    world, olivia, server
):
    class Killed(BaseException):
        pass

    calls = iter([NOW() + timedelta(seconds=1)] * 2)

    def clock():
        try:
            return next(calls)
        except StopIteration:
            raise Killed from None

    made = invite(olivia)
    with pytest.raises(Killed):
        invitation_mail_deliver(clock=clock)
    assert deliver() == 0
    assert deliver(minutes=11) == 1
    assert {link_in(mail) for mail in server.mails} == {made["link"]}
    assert len({mail["Message-ID"] for mail in server.mails}) == 1


def test_a_link_that_waits_is_encrypted_anew_with_the_other_keys_and_one_that_no_key_opens_fails(
    world, olivia, server, settings
):
    from cryptography.fernet import Fernet

    made = invite(olivia)
    old, new = settings.MARINA_ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.MARINA_ENCRYPTION_KEYS = [new, *old]
    assert invitation_links_rotate() == 1
    settings.MARINA_ENCRYPTION_KEYS = [new]
    deliver()
    assert link_in(server.mails[0]) == made["link"]
    lost = invite(olivia)
    settings.MARINA_ENCRYPTION_KEYS = old
    deliver()
    assert mail_of(olivia, lost)["state"] == "failed"


def test_nobody_makes_marina_mail_strangers_without_end(world, olivia, server, monkeypatch):
    from accounts import sign_in

    monkeypatch.setattr(sign_in, "INVITATION_MAILS", sign_in.Rate(2, 3600))
    invite(olivia)
    invite(olivia)
    refused = olivia.post(URL, {"project": "acme/payments", "role": "viewer", "email": ADDRESS}, "json")
    assert refused.status_code == 409
    assert invite(olivia, email="")["link"], "without a mail they go on"
    assert INVITATION_MAILS.seconds == 3600


def test_the_mails_secret_reaches_no_log(world, olivia, server, capfd):
    secrets = []
    for refusal in ("", "550 No", "451 Later"):
        server.refused = {ADDRESS: refusal} if refusal else {}
        secrets.append(invite(olivia)["link"].rpartition("/")[2])
        deliver()
    said = "".join(capfd.readouterr())
    assert not any(secret in said for secret in secrets)


def test_the_list_costs_the_same_with_mails(world, olivia, server):
    counts = []
    for start, end in ((0, 3), (3, 20)):
        for _ in range(start, end):
            invite(olivia)
        with CaptureQueriesContext(connection) as captured:
            rows = olivia.get(f"{URL}?page_size=200").json()["results"]
        assert all(row["mail"]["state"] == "pending" for row in rows)
        assert not any('"secret"' in each["sql"] for each in captured)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 4
