"""Who sees a rollout, and who may decide on it."""

from django.db.models import Q, QuerySet

from accounts.access import organizations_where, platform_staff, projects_where
from accounts.errors import NotAllowed, NotFound
from accounts.models import Project, User
from accounts.roles import roles_that_may
from accounts.services.audit import Actor
from clusters.models import Rollout

ROLLOUT = "virtualcluster.rollout"


def rollouts_visible(user: User) -> QuerySet[Rollout]:
    """One of a project to who sees its clusters; one of an organization to who sees all of these, and to who made it.

    The platform's are for its staff.
    """
    projects = projects_where(user, "virtualcluster.view")
    found = Q(project__in=projects.values("pk")) | Q(
        project=None, organization__in=organizations_where(user, "virtualcluster.view").values("pk")
    )
    if not (user.limits and user.limits.projects):
        found |= Q(project=None, created_by=user, organization__in=projects.values("organization"))
    if platform_staff(user):
        found |= Q(organization=None)
    return Rollout.objects.filter(found)


def rollout_require(actor: Actor, rollout: Rollout) -> None:
    """Lets pass who may pause, resume or abort it: who may roll out in every project that it touches."""
    user = actor.user
    if user is None or actor.platform or (rollout.organization_id is None and platform_staff(user)):
        return
    if not rollouts_visible(user).filter(pk=rollout.pk).exists():
        raise NotFound("There is no such rollout, or you have no role that shows it.")
    if rollout.organization_id is None:
        raise NotAllowed("Only platform staff may decide on a rollout of the platform.", hint="Ask your platform team.")
    touched = Project.objects.filter(virtual_clusters__rollout_members__rollout=rollout)
    projects_require(user, touched, subject=rollout)


def projects_require(user: User, touched: QuerySet[Project], *, subject: object = None) -> None:
    """Lets pass who may roll out in all of these."""
    missing = touched.exclude(pk__in=projects_where(user, ROLLOUT).values("pk")).select_related("organization")
    names = sorted({str(each) for each in missing})
    if not names:
        return
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise NotAllowed(
        f"You may not do {ROLLOUT} in {told}.",
        hint=f"It takes one of these roles there: {', '.join(roles_that_may(ROLLOUT))}. Or choose fewer clusters.",
        action=ROLLOUT,
        subject=subject,
    )
