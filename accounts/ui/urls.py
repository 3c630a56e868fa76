"""Addresses of the pages. The names are those that allauth asks for, where it asks."""

from django.urls import path

from accounts.ui import (
    account,
    device,
    notification_preferences,
    notifications,
    oidc,
    second_factor,
    sessions,
    sign_in,
    tokens,
    webhook_deliveries,
    webhooks,
)

urlpatterns = [
    path("", sign_in.start, name="start"),
    path("admin/login/", sign_in.admin_login),
    path("sign-in", sign_in.sign_in, name="account_login"),
    path("sign-in/code", sign_in.sign_in_code, name="mfa_authenticate"),
    path("sign-in/inactive", sign_in.inactive, name="account_inactive"),
    path("sign-in/oidc/cancelled", oidc.oidc_cancelled, name="socialaccount_login_cancelled"),
    path("sign-in/oidc/<slug:provider_id>", oidc.oidc_begin, name="openid_connect_login"),
    path("sign-in/oidc/<slug:provider_id>/callback", oidc.oidc_callback, name="openid_connect_callback"),
    path("sign-out", sign_in.sign_out, name="account_logout"),
    path("account", account.account, name="account"),
    path("account/password", account.password, name="account_change_password"),
    path("account/identities/<int:key>/disconnect", account.disconnect, name="identity_disconnect"),
    path("account/second-factor", second_factor.second_factor, name="mfa_index"),
    path("account/second-factor/set-up", second_factor.set_up, name="second_factor_set_up"),
    path("account/second-factor/remove", second_factor.remove, name="second_factor_remove"),
    path("account/second-factor/recovery-codes", second_factor.recovery_codes, name="recovery_codes"),
    path("account/sessions", sessions.sessions, name="usersessions_list"),
    path("account/tokens", tokens.tokens, name="tokens"),
    path("account/tokens/<uuid:key>/revoke", tokens.token_end, name="token_revoke"),
    path("account/notifications", notifications.inbox, name="notifications"),
    path("account/notifications/read-all", notifications.notifications_mark, name="notifications_mark"),
    path("account/notifications/preferences", notification_preferences.preferences, name="notification_preferences"),
    path("account/notifications/<uuid:key>", notifications.notification, name="notification"),
    path("account/notifications/<uuid:key>/mark", notifications.notification_mark, name="notification_mark"),
    path("webhooks", webhooks.webhooks, name="webhooks"),
    path("webhooks/new", webhooks.webhook_new, name="webhook_new"),
    path("webhooks/<uuid:key>", webhook_deliveries.webhook, name="webhook"),
    path("webhooks/<uuid:key>/edit", webhooks.webhook_edit, name="webhook_edit"),
    path("webhooks/<uuid:key>/switch", webhooks.webhook_switch, name="webhook_switch"),
    path("webhooks/<uuid:key>/secret", webhooks.webhook_secret, name="webhook_secret"),
    path("webhooks/<uuid:key>/delete", webhooks.webhook_remove, name="webhook_delete"),
    path("webhooks/<uuid:key>/try", webhook_deliveries.webhook_try, name="webhook_try"),
    path(
        "webhooks/<uuid:key>/deliveries/<uuid:delivery>", webhook_deliveries.webhook_delivery, name="webhook_delivery"
    ),
    path(
        "webhooks/<uuid:key>/deliveries/<uuid:delivery>/again",
        webhook_deliveries.webhook_send_again,
        name="webhook_send_again",
    ),
    path("device", device.device, name="device"),
]
