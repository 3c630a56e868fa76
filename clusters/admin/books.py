"""What gateways wrote down: looked at, and not edited."""

from accounts.admin.service_admin import ReadOnlyAdmin


class ClusterUseAdmin(ReadOnlyAdmin):
    """Who used which virtual cluster, with what program."""

    list_display = (
        "virtual_cluster",
        "user",
        "client",
        "last_used_at",
        "last_read_at",
        "last_write_at",
        "reads",
        "writes",
    )
    list_filter = ("last_used_at", "last_write_at")
    list_select_related = ("virtual_cluster__project__organization", "user")
    search_fields = ("virtual_cluster__name", "user__handle", "client")
    fields = (*list_display, "created_at")


class GatewayRequestAdmin(ReadOnlyAdmin):
    """Single requests through the gateway, as far as their projects want them written down."""

    list_display = ("at", "user", "acting_as", "cluster", "verb", "resource", "namespace", "name", "status", "address")
    list_filter = ("broken_glass", "verb", "status", "at")
    search_fields = ("user", "acting_as", "cluster", "resource", "namespace", "name", "by_token")
    # counting millions of rows would take longer than reading a page of them
    show_full_result_count = False
