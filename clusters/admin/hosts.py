"""Host clusters: connected by a kubeconfig file, changed, cordoned and disconnected, all by the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ServiceAdmin, admin_actor
from accounts.services.audit import Actor
from clusters.admin.host_forms import FIXED, SAID, HostChangeForm, HostConnectForm, offered_to_all, settings_of
from clusters.admin.host_health import asked_in_words, breaker_in_words, capacity_in_words
from clusters.admin.placements import PLACEMENTS_SHOWN, placements_in_words
from clusters.admin.words import NOTHING, conditions_in_words, label, warnings_in_words
from clusters.models import HostCluster
from clusters.services.evacuating import Evacuation, host_evacuate
from clusters.services.hosts import host_connect, host_credential_replace, host_disconnect, host_update
from clusters.services.lost_hosts import host_found, host_lost
from clusters.services.retained import host_retained_give_up

STANDING = ("phase_told", "breaker_told", "conditions_told", "cordoned_told", "placed_told")
OBSERVED = (
    "server",
    "kubernetes_version",
    "storage_class",
    "ingress_classes_told",
    "capacity_told",
    "asked_told",
    "credential_ends",
    "generation",
    "created_at",
)


class HostClusterAdmin(ServiceAdmin):
    """Hosts. Cordon them, and disconnect those that hold nothing, by the actions of the list."""

    list_display = (
        "name",
        "phase_told",
        "breaker_told",
        "told",
        "cordoned_told",
        "kubernetes_version",
        "scope",
        "region",
        "placed",
    )
    list_filter = ("phase", "breaker", "cordoned", "scope", "mode", "region")
    list_select_related = ("organization",)
    search_fields = ("name", "region", "server")
    autocomplete_fields = ("organization", "offered_to_organizations", "offered_to_projects")
    actions = ("cordon", "uncordon", "evacuate", "lost", "found", "forget_retained", "disconnect")

    def get_queryset(self, request: HttpRequest) -> QuerySet[HostCluster]:
        rows: QuerySet[HostCluster] = super().get_queryset(request)
        return rows.annotate(placed=Count("placements"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = HostChangeForm if obj else HostConnectForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "kubeconfig", *FIXED[1:], *SAID)}),)
        return (
            (None, {"fields": (*STANDING, *FIXED)}),
            ("What Marina found", {"fields": OBSERVED}),
            ("What you say of it", {"fields": (*SAID, "required_signals", "ingress_metrics", "kubeconfig")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*STANDING, *FIXED, *OBSERVED) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A host is disconnected, by the action."""
        return False

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> HostCluster:
        connecting = host_connect(
            settings=settings_of(cleaned), kubeconfig=cleaned["kubeconfig"], actor=actor, now=timezone.now()
        )
        return connecting.host

    def service_update(self, actor: Actor, row: HostCluster, cleaned: dict[str, Any]) -> HostCluster:
        changed = host_update(
            host=row,
            actor=actor,
            region=cleaned["region"],
            labels=cleaned["labels"] or {},
            exposure=cleaned["exposure"],
            values=cleaned["values"] or {},
            concurrency=cleaned["concurrency"],
            required_signals=cleaned["required_signals"],
            ingress_metrics=cleaned["ingress_metrics"],
            offered_to_all=offered_to_all(cleaned),
            offered_to_organizations=tuple(cleaned["offered_to_organizations"]),
            offered_to_projects=tuple(cleaned["offered_to_projects"]),
        )
        if cleaned["kubeconfig"]:
            host_credential_replace(host=row, kubeconfig=cleaned["kubeconfig"], actor=actor, now=timezone.now())
        return changed

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="virtual clusters", ordering="placed")
    def placed(self, host: Any) -> int:
        """How many are placed there."""
        return int(host.placed)

    @admin.display(description="virtual clusters")
    def placed_told(self, host: HostCluster) -> SafeString | str:
        """The first of those placed there, each with its page."""
        placements = host.placements.select_related("virtual_cluster__project__organization").order_by("pk")
        return placements_in_words(placements[: PLACEMENTS_SHOWN + 1])

    @admin.display(description="phase", ordering="phase")
    def phase_told(self, host: HostCluster) -> SafeString:
        """As a label."""
        return label(host.phase)

    @admin.display(description="cordoned", ordering="cordoned")
    def cordoned_told(self, host: HostCluster) -> str:
        """In a word."""
        if host.lost_at is not None:
            return f"lost since {host.lost_at:%Y-%m-%d %H:%M} UTC"
        return "cordoned" if host.cordoned else NOTHING

    @admin.display(description="conditions that warn")
    def told(self, host: HostCluster) -> str:
        """Those that are not as they should be."""
        return warnings_in_words(host.conditions)

    @admin.display(description="conditions")
    def conditions_told(self, host: HostCluster) -> SafeString | str:
        """In words."""
        return conditions_in_words(host.conditions)

    @admin.display(description="ingress classes")
    def ingress_classes_told(self, host: HostCluster) -> str:
        """By name."""
        return ", ".join(each["name"] for each in host.ingress_classes) or NOTHING

    @admin.display(description="capacity")
    def capacity_told(self, host: HostCluster) -> SafeString | str:
        """What the nodes have and what is asked of them, in all and by namespace."""
        return capacity_in_words(host.capacity)

    @admin.display(description="answers", ordering="breaker")
    def breaker_told(self, host: HostCluster) -> SafeString:
        """Whether work for it goes on."""
        return breaker_in_words(host)

    @admin.display(description="last asked")
    def asked_told(self, host: HostCluster) -> str:
        """When it was last asked and looked at."""
        return asked_in_words(host)

    @admin.display(description="credential ends")
    def credential_ends(self, host: HostCluster) -> str:
        """When a new one is needed, and by whom."""
        credential = getattr(host, "credential", None)
        if credential is None:
            return "There is none."
        if credential.expires_at is None:
            return "Never, as far as can be told."
        by = "Marina renews it." if credential.renewable else "Marina cannot renew it: give a new one before."
        return f"{credential.expires_at:%Y-%m-%d %H:%M} UTC. {by}"

    # --- actions ------------------------------------------------------------------------------------------------------

    @admin.action(description="Cordon: nothing new is placed there", permissions=["change"])
    def cordon(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """What runs there goes on."""
        self._cordon(request, queryset, cordoned=True)

    @admin.action(description="Uncordon", permissions=["change"])
    def uncordon(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """Takes placements again."""
        self._cordon(request, queryset, cordoned=False)

    def _cordon(self, request: HttpRequest, queryset: QuerySet[HostCluster], *, cordoned: bool) -> None:
        for host in queryset:
            host_update(host=host, actor=admin_actor(request), cordoned=cordoned)
            messages.success(request, f"{host.name} is {'cordoned' if cordoned else 'uncordoned'}.")

    @admin.action(description="Evacuate: cordon it, and move away all that is on it", permissions=["change"])
    def evacuate(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """As a rollout, whose page shows what went and what stays."""
        for host in queryset:
            rollout = host_evacuate(host=host, actor=admin_actor(request), now=timezone.now(), wish=Evacuation())
            told = f"the rollout {rollout.name} moves what is on it" if rollout else "nothing is on it"
            messages.success(request, f"{host.name} is cordoned; {told}.")

    @admin.action(description="Lost: make again elsewhere what was on it", permissions=["change"])
    def lost(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """From the last exports. Only of a host that does not answer."""
        for host in queryset:
            said = host_lost(host=host, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{host.name} is lost. {len(said.operations)} clusters are made again elsewhere.")

    @admin.action(description="Found: a lost host answers again, and counts as lost no more", permissions=["change"])
    def found(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """It stays cordoned."""
        for host in queryset:
            host_found(host=host, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{host.name} counts as lost no more. It is cordoned.")

    @admin.action(description="Give up what clusters left there that moved away", permissions=["change"])
    def forget_retained(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """They cannot go back to it then. What a move or a recovery may need stays."""
        for host in queryset:
            given_up = host_retained_give_up(host=host, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{host.name}: {len(given_up.operations)} that moved away are being removed.")
            for each in given_up.kept:
                messages.warning(request, f"{host.name} keeps what {each.virtual_cluster} left: {each.why}")

    @admin.action(description="Disconnect: forget a host that holds nothing", permissions=["change"])
    def disconnect(self, request: HttpRequest, queryset: QuerySet[HostCluster]) -> None:
        """Nothing is changed on the host itself."""
        for host in queryset:
            host_disconnect(host=host, actor=admin_actor(request))
            messages.success(request, f"{host.name} was disconnected; what was applied there is still there.")
