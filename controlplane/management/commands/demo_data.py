"""`manage.py demo_data`: an organization, a team, a project and three people, for the demo and for journeys of tests.

It prints one JSON object with a new password for each of them: the only copy. Running it again makes what is missing
and gives new passwords. It refuses a database in which other people work.
"""

import json
import secrets
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import Organization, Project, RoleBinding, Team, User
from accounts.services.audit import Actor
from accounts.services.organizations import organization_create
from accounts.services.projects import project_create, project_update
from accounts.services.role_bindings import role_binding_create
from accounts.services.teams import team_create
from accounts.services.users import user_create, user_password_set

ORGANIZATION = "acme"
TEAM = "payments"
PROJECT = "payments"
ACTOR = Actor(user=None, name="demo_data")

# who, and what they are in words
STAFF = ("harbormaster", "platform staff: connects hosts, opens /admin/")
ADMIN = ("olivia", f"admin of the organization {ORGANIZATION}")
DEVELOPER = ("dario", f"developer in the project {ORGANIZATION}/{PROJECT}, by the team {TEAM}")


class Command(BaseCommand):
    """See the module's text."""

    help = "Makes the people, the organization and the project of the demo, and prints new passwords as JSON."

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes all or nothing."""
        handles = [STAFF[0], ADMIN[0], DEVELOPER[0]]
        if other := User.objects.exclude(handle__in=handles).first():
            raise CommandError(f"This database has other people ({other.handle}): it is not one for a demo.")
        with transaction.atomic():
            made = demo_data_make(now=timezone.now())
        self.stdout.write(json.dumps(made))


def demo_data_make(*, now: datetime) -> dict[str, Any]:
    """Makes what is missing; the answer has a new password for each person."""
    passwords = {handle: secrets.token_urlsafe(15) for handle, _ in (STAFF, ADMIN, DEVELOPER)}
    _person(STAFF[0], passwords, platform=True)
    admin = _person(ADMIN[0], passwords)
    developer = _person(DEVELOPER[0], passwords)
    organization = Organization.objects.filter(name=ORGANIZATION).first() or organization_create(
        actor=ACTOR, name=ORGANIZATION, admin=admin, now=now
    )
    project = Project.objects.filter(organization=organization, name=PROJECT).first() or _project(organization)
    team = Team.objects.filter(organization=organization, name=TEAM).first() or team_create(
        actor=ACTOR, organization=organization, name=TEAM, members=[developer]
    )
    if not RoleBinding.objects.filter(team=team, project=project, role="developer").exists():
        role_binding_create(actor=ACTOR, subject=team, role="developer", scope=project, now=now)
    people = {"staff": STAFF, "admin": ADMIN, "developer": DEVELOPER}
    described = {
        key: {"handle": handle, "role": role, "password": passwords[handle]} for key, (handle, role) in people.items()
    }
    return {"project": f"{ORGANIZATION}/{PROJECT}", **described}


def _project(organization: Organization) -> Project:
    """It gives out direct kubeconfigs as well, which work without a gateway."""
    made = project_create(actor=ACTOR, organization=organization, name=PROJECT)
    return project_update(actor=ACTOR, project=made, direct_kubeconfigs=True)


def _person(handle: str, passwords: dict[str, str], *, platform: bool = False) -> User:
    user = User.objects.filter(handle=handle).first()
    if user is None:
        return user_create(
            actor=ACTOR, handle=handle, password=passwords[handle], is_staff=platform, is_superuser=platform
        )
    user_password_set(actor=ACTOR, user=user, password=passwords[handle], now=timezone.now())
    return user
