"""docker-compose.yml and Dockerfile say the same as the code: processes, queues, settings, and what is open to whom."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from dev.settings_names import ROOT, settings_read

SECRETS = (
    "DJANGO_SECRET_KEY",
    "MARINA_ENCRYPTION_KEYS",
    "POSTGRES_PASSWORD",
    "POSTGRES_APPLICATION_PASSWORD",
    "VALKEY_PASSWORD",
)
OWN = {"migrate", "web", "gateway", "worker", "probes", "beat"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def queues(command: list[str]) -> set[str]:
    return set(command[command.index("--queues") + 1].split(",")) if "--queues" in command else set()


def test_it_has_every_process_of_marina(services: dict[str, Any]) -> None:
    assert set(services) == OWN | {"postgres", "valkey"}
    assert services["web"]["command"][:2] == ["gunicorn", "controlplane.wsgi"]
    assert services["migrate"]["command"][:3] == ["python", "manage.py", "migrate"]
    assert services["gateway"]["command"] == ["python", "-m", "gateway"]
    assert services["beat"]["command"][:4] == ["celery", "-A", "controlplane", "beat"]
    for name in ("worker", "probes"):
        assert services[name]["command"][:6] == ["celery", "-A", "controlplane", "worker", "--pool", "threads"]


def test_each_queue_has_a_worker_and_no_flood_of_operations_keeps_the_others_waiting(services: dict[str, Any]) -> None:
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert queues(services["worker"]["command"]) | queues(services["probes"]["command"]) == routed
    assert queues(services["worker"]["command"]) == {"operations"}


def test_only_the_web_server_and_the_gateway_publish_a_port_and_on_loopback(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["web", "gateway"]
    assert services["web"]["ports"] == ["${MARINA_LISTEN:-127.0.0.1:8000}:8000"]
    assert services["gateway"]["ports"] == ["${GATEWAY_LISTEN:-127.0.0.1:8443}:8443"]
    assert not [name for name, service in services.items() if service.get("network_mode")]


def test_what_stays_up_has_a_health_check(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" in service} == set(services) - {"migrate"}


def test_nothing_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in OWN - {"migrate"}:
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "valkey": {"condition": "service_healthy"},
        }


def test_its_environment_are_settings_that_exist(services: dict[str, Any]) -> None:
    known = {setting.name for setting in settings_read()}
    for name in OWN:
        assert set(services[name]["environment"]) <= known


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in SECRETS:
        uses = re.findall(r"\$\{" + secret + r"([^}]*)\}", text)
        assert uses, secret
        assert all(use.startswith(":?") for use in uses), secret


def test_every_variable_it_asks_for_is_explained(compose: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known = {setting.name for setting in settings_read()}
    assert asked - {"MARINA_IMAGE"} <= explained
    assert explained - known == {*SECRETS[2:], "MARINA_LISTEN", "GATEWAY_LISTEN"}


def test_only_migrations_run_as_the_owner_of_the_tables(services: dict[str, Any]) -> None:
    assert [name for name in OWN if "DATABASE_OWNER_URL" in services[name]["environment"]] == ["migrate"]
    assert {services[name]["environment"]["DATABASE_URL"].partition(":$")[0] for name in OWN} == {
        "postgres://marina_app"
    }


def test_marinas_containers_have_no_rights_to_spare(services: dict[str, Any]) -> None:
    for name in OWN:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert not service.get("privileged")


def test_the_image_runs_as_an_ordinary_user_and_holds_only_pinned_packages() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "--require-hashes" in text
    environment = set(re.findall(r"\b([A-Z_]+)=/", text)) - {"PATH"}
    assert environment <= {setting.name for setting in settings_read()}
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (ROOT / source).exists(), source


def test_the_image_gets_every_package_of_the_product() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text()
    for package in ("accounts", "clusters", "provisioning", "controlplane"):
        assert f"COPY {package} {package}" in text
        assert f"!{package}" in ignored


def test_an_installed_compose_accepts_the_file(tmp_path: Path) -> None:
    command = _compose()
    if command is None:
        pytest.skip("no docker-compose is installed here")
    secrets = dict.fromkeys(SECRETS, "0" * 44)
    done = subprocess.run(
        [*command, "-f", ROOT / "docker-compose.yml", "config", "--quiet"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | secrets,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _compose() -> list[str] | None:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        return ["docker", "compose"] if done.returncode == 0 else None
    return None
