"""The page to which warnings lead, the admin pages, and who hears of a sleep that was refused."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Notification
from accounts.notification_links import object_page
from clusters.models import (
    CleanupItem,
    CleanupRun,
    CleanupSwitch,
    LifecyclePolicy,
    OperationKind,
    OperationState,
    SleepSchedule,
    VirtualCluster,
)
from clusters.services.announcing import operations_announce
from clusters.services.cleanup import sweep
from tests.clusters.lifecycle.conftest import NOW
from tests.clusters.lifecycle.days import HOUR
from tests.clusters.making import operation_row


def browser(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_link_of_a_warning_keeps_the_cluster_with_one_click(made, book, people, world):
    row = made(days=84, owner_user=people.mia)
    sweep(now=NOW, read_signals=book)
    link = object_page(Notification.objects.get(kind="cleanup-warning"))
    assert link == f"/virtual-clusters/{row.pk}/extend"
    mia = browser(people.mia)
    assert "Nobody has used it since" in mia.get(link).content.decode()
    assert VirtualCluster.objects.get().cleanup_at is not None
    assert "is kept until" in mia.post(link, {"days": "7"}).content.decode()
    assert VirtualCluster.objects.get().cleanup_at is None
    assert mia.post(link, {"days": "9999"}).status_code == 400
    assert mia.post(link, {"consent": "yes"}).status_code == 409
    assert browser(people.eve).get(link).status_code == 404
    assert browser(people.vera).post(link, {"days": "7"}).status_code == 403
    assert Client().get(link).status_code == 302


def test_the_page_offers_only_what_is_taken(made, people, world):
    policy = LifecyclePolicy.objects.create(project=world.payments, extension_maximum=14 * 86400)
    row = made(owner_user=people.mia)
    page, mia = f"/virtual-clusters/{row.pk}/extend", browser(people.mia)
    shown = mia.get(page).content.decode()
    assert ("14 days more" in shown, "30 days more" in shown) == (True, False)
    LifecyclePolicy.objects.filter(pk=policy.pk).update(extension_maximum=86400)
    assert "Keep it for 1 day more" in mia.get(page).content.decode()
    VirtualCluster.objects.update(expires_at=timezone.now() + HOUR)
    assert "It lives until " in mia.post(page, {"days": "1"}).content.decode()
    VirtualCluster.objects.update(expires_at=None)
    LifecyclePolicy.objects.filter(pk=policy.pk).update(extension_maximum=0)
    assert "It cannot be kept for longer by this page." in mia.get(page).content.decode()


def test_owners_hear_of_a_sleep_that_was_refused_and_who_asked_hears_of_a_failure(made, world):
    row = made()
    now = timezone.now()
    fields = {"state": OperationState.FAILED, "finished_at": now, "error_message": "The pod alone would be lost."}
    operation_row(row, OperationKind.SLEEP, params={"by": "schedule of acme/payments"}, **fields)
    operations_announce(now=now)
    operations_announce(now=now)
    told = Notification.objects.get()
    assert (told.kind, told.recipient) == ("sleep-refused", world.olivia)
    assert "as schedule of acme/payments wanted. The pod alone would be lost." in told.text


@pytest.mark.parametrize("page", ["sleepschedule", "lifecyclepolicy", "cleanuprun", "cleanupitem", "cleanupswitch"])
def test_every_admin_page_opens(made, world, page):
    row = made(days=100)
    run = CleanupRun.objects.create(started_at=NOW, state="Done")
    rows = {
        "sleepschedule": SleepSchedule.objects.create(virtual_cluster=row, sleep_cron="0 20 * * *"),
        "lifecyclepolicy": LifecyclePolicy.objects.create(project=row.project, sleep_after=86400),
        "cleanuprun": run,
        "cleanupitem": CleanupItem.objects.create(run=run, virtual_cluster=row, action="warn", why="Unused."),
        "cleanupswitch": CleanupSwitch.objects.create(),
    }
    staff = browser(world.staff)
    for address in ("", f"{rows[page].pk}/change/"):
        answer = staff.get(f"/admin/clusters/{page}/{address}")
        assert answer.status_code == 200, address


def test_the_admin_site_makes_a_schedule_and_stops_the_cleanup_by_the_services(made, world):
    row, staff = made(), browser(world.staff)
    body = {"virtual_cluster": str(row.pk), "sleep_cron": "0 20 31 2 *", "time_zone": "UTC", "enabled": "on"}
    staff.post("/admin/clusters/sleepschedule/add/", body)
    assert not SleepSchedule.objects.exists()
    staff.post("/admin/clusters/sleepschedule/add/", body | {"sleep_cron": "0 20 * * *"})
    assert VirtualCluster.objects.get().next_sleep_at is not None
    staff.post("/admin/clusters/cleanupswitch/add/", {"stopped": "on", "reason": "a look"})
    assert CleanupSwitch.objects.get().changed_by == world.staff


def test_the_admin_site_takes_and_shows_spans_as_the_command_line_does(made, world):
    row, staff = made(), browser(world.staff)
    add = "/admin/clusters/lifecyclepolicy/add/"
    says = {"project": str(row.project_id), "sleep_after": "1d12h", "warn_before": "7d, 36h", "never_delete": "True"}
    assert b"is no span of time" in staff.post(add, says | {"sleep_after": "soon"}).content
    assert b"warned at least twice" in staff.post(add, says | {"warn_before": "7d"}).content
    assert staff.post(add, says).status_code == 302
    policy = LifecyclePolicy.objects.get()
    assert (policy.sleep_after, policy.warn_before, policy.never_delete) == (129600, [604800, 129600], True)
    assert "1d12h" in staff.get("/admin/clusters/lifecyclepolicy/").content.decode()
    change = f"/admin/clusters/lifecyclepolicy/{policy.pk}/change/"
    assert 'value="7d, 1d12h"' in staff.get(change).content.decode()
    assert staff.post(change, {"sleep_after": "", "never_delete": "False"}).status_code == 302
    policy.refresh_from_db()
    assert (policy.sleep_after, policy.warn_before, policy.never_delete) == (None, None, False)


def test_the_admin_site_tells_by_the_field_which_time_cannot_be_read(made, world):
    body = {"virtual_cluster": str(made().pk), "sleep_cron": "at eight", "time_zone": "UTC", "enabled": "on"}
    answer = browser(world.staff).post("/admin/clusters/sleepschedule/add/", body)
    assert "cannot be read as a time" in answer.context["adminform"].form.errors["sleep_cron"][0]
    assert b"at eight" in answer.content


def test_a_clusters_admin_page_tells_who_put_it_to_sleep_when_it_wakes_and_when_it_is_deleted(made, book, world):
    row = made(days=84, asleep_since=NOW, asleep_by="dan", asleep_why="Weekend.", next_wake_at=NOW)
    sweep(now=NOW, read_signals=book)
    staff = browser(world.staff)
    page = staff.get(f"/admin/clusters/virtualcluster/{row.pk}/change/").content.decode()
    assert "put to sleep by dan: Weekend; it wakes 2026-11-26 12:00 UTC" in page
    assert "to be deleted 2026-12-03 12:00 UTC: Nobody has used it since" in page
    assert "its owner was told 2026-11-26 12:00 UTC" in page
    assert "gateway-person: " in page
    assert "2026-12-03 12:00 UTC" in staff.get("/admin/clusters/virtualcluster/").content.decode()


def test_the_admin_site_puts_clusters_to_sleep_and_wakes_them_by_the_services(made, world):
    row, staff = made(), browser(world.staff)
    for action, kind in (("sleep", OperationKind.SLEEP), ("wake", OperationKind.WAKE)):
        body = {"action": action, "_selected_action": [str(row.pk)]}
        answer = staff.post("/admin/clusters/virtualcluster/", body, follow=True)
        assert "begins to" in " ".join(map(str, answer.context["messages"]))
        assert row.operations.filter(kind=kind).count() == 1
