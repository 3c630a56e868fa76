"""Addresses of the pages of virtual clusters."""

from django.urls import path

from clusters.ui.extend import extend

urlpatterns = [
    path("virtual-clusters/<uuid:key>/extend", extend, name="cluster_extend"),
]
