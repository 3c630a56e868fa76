"""Service accounts as rows, with the user that stands for each."""

from accounts.models import Project, ServiceAccount, User


def machine(project: Project, name: str = "ci") -> ServiceAccount:
    """A service account without a role."""
    user = User(handle=f"sa-{project.name}-{name}", name=name, is_service_account=True)
    user.set_unusable_password()
    user.save()
    return ServiceAccount.objects.create(project=project, name=name, user=user)
