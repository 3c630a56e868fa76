"""Marina's addresses."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from accounts.ui.invitations import InvitationPage
from controlplane import health
from controlplane.directory import directory

handler400 = "accounts.api.problems.bad_request"
handler404 = "accounts.api.problems.page_not_found"
handler500 = "accounts.api.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("accounts.ui.urls")),
    path("", include("clusters.ui.urls")),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("invitations/<str:secret>", InvitationPage.as_view(), name="invitation-page"),
    path("api/v1", directory),
    path("api/v1/", directory, name="directory"),
    path("api/v1/openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("api/v1/docs", SpectacularSwaggerView.as_view(url_name="openapi"), name="docs"),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("clusters.api.urls")),
]
