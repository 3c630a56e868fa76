"""Marina's addresses, and one whose view does nothing: what is left is the framework's own cost."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.urls import handler400, handler404, handler500
from controlplane.urls import urlpatterns as marinas

__all__ = ["handler400", "handler404", "handler500"]


class Nothing(APIView):
    """Signed in, counted, and answered like everything else."""

    def get(self, request: Request) -> Response:
        return Response({"next": None, "previous": None, "results": []})


urlpatterns = [path("api/v1/nothing", Nothing.as_view()), *marinas]
