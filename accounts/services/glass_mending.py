"""When somebody is platform staff no longer: what was opened to them as that closes."""

from datetime import datetime

from accounts.models import RoleBinding, User
from accounts.services.access_lost import access_lost
from accounts.services.audit import Actor
from accounts.services.permissions import organization_lock
from accounts.services.role_giving import role_remove, scope_of


def glass_mend(*, actor: Actor, user: User, now: datetime) -> None:
    """Takes the roles that hold by broken glass, in the transaction of the loss."""
    for binding in RoleBinding.objects.filter(user=user).exclude(reason=""):
        organization_lock(scope_of(binding))
        role_remove(actor=actor, binding=binding, action="role.take", now=now)
    access_lost(subject=user, now=now)
