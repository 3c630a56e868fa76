"""`python -m gateway`: one gateway process. Several run side by side; they share only the database."""

import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    django.setup()
    from gateway.process import serve

    serve()
