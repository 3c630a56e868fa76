"""Host clusters: the real Kubernetes clusters that virtual ones are placed on."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project
from accounts.models.base import Row
from accounts.models.organization import NAME_RULE
from accounts.models.revisions import Revised


class HostScope(models.TextChoices):
    """Whose a host is."""

    PLATFORM = "platform"
    ORGANIZATION = "organization"


class HostMode(models.TextChoices):
    """`cluster`: Marina makes namespaces. `namespaces`: it uses a given list and makes no cluster-scoped call."""

    CLUSTER = "cluster"
    NAMESPACES = "namespaces"


class HostPhase(models.TextChoices):
    """Pending until its `connect` operation succeeded; only Connected hosts take placements."""

    PENDING = "Pending"
    CONNECTED = "Connected"
    FAILED = "Failed"


class Exposure(models.TextChoices):
    """How a virtual cluster's API is published: not at all, by a load balancer, or as the local hosts do it."""

    NONE = "None"
    LOAD_BALANCER = "LoadBalancer"
    LOCAL = "Local"


class Breaker(models.TextChoices):
    """Closed: work goes on. Open: it waits. Half-open: one operation tries whether the host is really back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class HostCluster(Row, Revised):
    """A real Kubernetes cluster.

    Its own organization may use it, who is named, whom the platform offers its region to (RegionOffer), and, where
    `offered_to_all` says so, everybody. That is a column of its own, so that a host whose last name goes away is
    offered to nobody instead of to all.
    """

    name = models.CharField(max_length=40, unique=True, validators=[NAME_RULE])
    scope = models.CharField(max_length=20, choices=HostScope.choices, default=HostScope.PLATFORM)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="host_clusters"
    )
    offered_to_all = models.BooleanField(
        default=False, help_text="Everybody may use it: platform hosts only, and not where somebody is named."
    )
    offered_to_organizations = models.ManyToManyField(Organization, blank=True, related_name="offered_hosts")
    offered_to_projects = models.ManyToManyField(Project, blank=True, related_name="offered_hosts")
    mode = models.CharField(max_length=20, choices=HostMode.choices, default=HostMode.CLUSTER)
    namespaces = models.JSONField(default=list, blank=True, help_text="Mode namespaces: those Marina may use.")
    labels = models.JSONField(default=dict, blank=True)
    region = models.CharField(max_length=60, blank=True)
    exposure = models.CharField(max_length=20, choices=Exposure.choices, default=Exposure.NONE)
    values = models.JSONField(default=dict, blank=True, help_text="Chart values for every virtual cluster here.")
    cordoned = models.BooleanField(default=False, help_text="A cordoned host takes no new placement.")
    concurrency = models.PositiveSmallIntegerField(
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How many operations may work on it at the same time.",
    )
    required_signals = models.JSONField(
        default=dict, blank=True, help_text="Signals of use, as KIND: required or optional; others are as by default."
    )
    ingress_metrics = models.JSONField(
        default=dict,
        blank=True,
        help_text="Where its ingress controller tells how many requests came (clusters/lifecycle/ingress_metrics.py).",
    )
    generation = models.PositiveIntegerField(default=1, editable=False)

    # observed by the workers
    phase = models.CharField(max_length=20, choices=HostPhase.choices, default=HostPhase.PENDING, editable=False)
    conditions = models.JSONField(default=list, editable=False)
    server = models.URLField(max_length=500, editable=False)
    kubernetes_version = models.CharField(max_length=40, blank=True, editable=False)
    identity = models.JSONField(
        default=dict, editable=False, help_text="Uids of namespaces, by which the same cluster is known again."
    )
    storage_class = models.CharField(max_length=253, blank=True, editable=False)
    ingress_classes = models.JSONField(default=list, editable=False)
    api_groups = models.JSONField(default=list, editable=False, help_text="What it serves, as GROUP/VERSION.")
    capacity = models.JSONField(default=dict, editable=False)
    breaker = models.CharField(max_length=20, choices=Breaker.choices, default=Breaker.CLOSED, editable=False)
    breaker_since = models.DateTimeField(null=True, editable=False, help_text="When the breaker last changed.")
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="In a row, since it last answered.")
    answered_at = models.DateTimeField(null=True, editable=False, help_text="When a probe last got an answer.")
    probed_at = models.DateTimeField(null=True, editable=False, help_text="When it was last asked whether it is there.")
    silence_told_at = models.DateTimeField(
        null=True, editable=False, help_text="When people were told that it does not answer; empty once it is back."
    )
    surveyed_at = models.DateTimeField(
        null=True, editable=False, help_text="When capacity and what is placed there were last looked at."
    )

    # said by somebody
    lost_at = models.DateTimeField(
        null=True, editable=False, help_text="When somebody said that it is lost; empty again once it was found."
    )
    lost_why = models.TextField(blank=True, editable=False, help_text="What they gave as the reason.")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="host_scope_organization_names_it",
                condition=Q(scope="platform", organization__isnull=True)
                | Q(scope="organization", organization__isnull=False),
            ),
            models.CheckConstraint(
                name="host_offered_to_all_is_the_platforms", condition=Q(offered_to_all=False) | Q(scope="platform")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class HostCredential(Row, Revised):
    """How Marina reaches a host, encrypted. A row of its own, so that reading a host never reads a secret.

    `generation` grows with each new credential; workers cache one client a host and generation. A replacement is a
    candidate until its `connect` succeeded, so that a wrong one does not cut off what runs.
    """

    host = models.OneToOneField(HostCluster, on_delete=models.CASCADE, related_name="credential")
    ciphertext = models.BinaryField(null=True, editable=False, help_text="The one in use.")
    candidate = models.BinaryField(null=True, editable=False, help_text="One that `connect` has still to prove.")
    generation = models.PositiveIntegerField(default=1)
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    renewable = models.BooleanField(default=False, help_text="A ServiceAccount token that Marina renews by itself.")

    def __str__(self) -> str:
        return f"credential of {self.host}"
