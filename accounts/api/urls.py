"""The addresses of people and roles, below /api/v1/."""

from rest_framework.routers import SimpleRouter

router = SimpleRouter(trailing_slash=False, use_regex_path=False)

urlpatterns = router.urls
