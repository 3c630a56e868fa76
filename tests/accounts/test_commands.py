"""Commands of people who run Marina."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AuditEvent, User
from tests.accounts.conftest import MARINA, person


def run(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*args, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def test_the_page_of_the_role_table_is_up_to_date():
    call_command("render_permissions", "--check")


def test_an_outdated_page_of_the_role_table_fails_the_check(tmp_path, settings):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match="out of date"):
        call_command("render_permissions", "--check")
    run("render_permissions")
    call_command("render_permissions", "--check")


def test_the_first_admin_gets_a_new_password_each_time(db):
    passwords = [run("create_admin", handle, "--generate")[0] for handle in ("root-1", "root-2")]
    assert passwords[0] != passwords[1]
    assert len(passwords[0]) >= 20
    root = User.objects.get(handle="root-1")
    assert root.is_staff
    assert root.is_superuser
    assert root.check_password(passwords[0])
    assert passwords[0] not in str(list(AuditEvent.objects.values()))
    with pytest.raises(CommandError, match="already"):
        run("create_admin", "root-1", "--generate")
    with pytest.raises(CommandError, match="lower-case"):
        run("create_admin", "Root", "--generate")


def test_a_token_is_printed_once_and_works(db):
    person("ana")
    text, told = run("create_token", "ana", "--name", "backup", "--expires-in", "600")
    assert text not in told
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert client.get("/api/v1/me").data["handle"] == "ana"
    with pytest.raises(CommandError, match="no active user"):
        run("create_token", "nobody")
    with pytest.raises(CommandError, match="cannot be valid"):
        run("create_token", "ana", "--expires-in", "1")


def test_no_token_is_made_for_a_deactivated_user(db):
    from accounts.services.users import user_deactivate

    user_deactivate(actor=MARINA, user=person("ana"), now=timezone.now())
    with pytest.raises(CommandError, match="no active user"):
        run("create_token", "ana")


def test_the_first_admins_password_is_read_from_standard_input_and_not_shown(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct-horse-battery\n"))
    out, err = run("create_admin", "root", "--password-stdin")
    assert User.objects.get().check_password("correct-horse-battery")
    assert "correct-horse" not in out + err
    for typed, said in (("", "no password"), ("short\n", "too short")):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(CommandError, match=said):
            run("create_admin", "other", "--password-stdin")
