"""Runs it until it is ended."""

import os
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CLIENT_ID, CLIENT_SECRET = "marina", "the-client-secret-of-the-tests"
CALLBACKS = ("http://testserver/sign-in/oidc/sso/callback", "http://testserver/sign-in/oidc/second/callback")


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request: the provider is asked for its keys while it answers."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Without a line for each request."""

    def log_message(self, *args: object) -> None:
        pass


def main(port: int, folder: Path) -> None:
    """Makes the database, and serves."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.oidc_provider.settings"
    os.environ["OIDC_PROVIDER_FOLDER"] = str(folder)
    os.environ["OIDC_PROVIDER_ADDRESS"] = f"http://127.0.0.1:{port}"
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    import django

    django.setup()
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    Application.objects.update_or_create(
        client_id=CLIENT_ID,
        defaults={
            "client_secret": CLIENT_SECRET,
            "redirect_uris": " ".join(CALLBACKS),
            "client_type": Application.CLIENT_CONFIDENTIAL,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "algorithm": Application.RS256_ALGORITHM,
            "skip_authorization": True,
        },
    )
    make_server("127.0.0.1", port, get_wsgi_application(), Server, Quiet).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
