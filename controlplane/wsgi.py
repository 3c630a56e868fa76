"""The web half's entry point: `gunicorn controlplane.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from controlplane.checks import settings_require

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
application = get_wsgi_application()
settings_require()
