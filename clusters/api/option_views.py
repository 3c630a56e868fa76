"""What can be chosen when a virtual cluster is made."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.schema import MarinaSchema
from clusters.api.virtual_cluster_views import OptionsSerializer
from clusters.models import Exposure
from clusters.selectors import chart_versions
from clusters.sizes import SIZES
from clusters.versions import kubernetes_versions_order


class OptionsView(APIView):
    """Versions, sizes, exposures and limits."""

    schema = MarinaSchema()

    @extend_schema(operation_id="options_retrieve", responses=OptionsSerializer)
    def get(self, request: Request) -> Response:
        """Lists what can be chosen, newest and default first."""
        versions = [str(version) for version in kubernetes_versions_order(settings.KUBERNETES_VERSIONS)]
        return Response(
            {
                "kubernetes_versions": versions,
                "default_kubernetes_version": versions[0],
                "chart_versions": chart_versions(),
                "chart_version": settings.CHART_VERSION,
                "sizes": [{"name": size.name, "description": size.description} for size in SIZES.values()],
                "exposures": Exposure.values,
                "kubeconfig_expiry": {
                    "minimum": settings.KUBECONFIG_MINIMUM_SECONDS,
                    "default": settings.KUBECONFIG_DEFAULT_SECONDS,
                    "maximum": settings.KUBECONFIG_MAXIMUM_SECONDS,
                },
            }
        )
