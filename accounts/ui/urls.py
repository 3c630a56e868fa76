"""Addresses of the pages. The names are those that allauth asks for, where it asks."""

from django.urls import path

from accounts.ui import account, device, oidc, second_factor, sessions, sign_in, tokens

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
    path("device", device.device, name="device"),
]
