"""Marina's addresses."""

from django.urls import URLPattern, URLResolver, path

from controlplane import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
