"""Structured logs: one JSON line an event, with operation, step, host and organization where they are known."""

import logging
import logging.config
from typing import Any

import structlog

from accounts.secret_names import SECRET_NAMES
from controlplane.log_links import redact_links

# Kept to warnings: these tell at info level what a request's or an operation's own line tells already, or that a
# second has passed.
_QUIET = ("urllib3", "kombu", "amqp", "httpx", "celery.worker.strategy", "celery.app.trace", "celery.beat")


def redact_secrets(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replaces the values of keys that name a secret."""
    for key in event:
        if key.lower() in SECRET_NAMES:
            event[key] = "[not logged]"
    return event


def configure(config: dict[str, Any]) -> None:
    """Sets up structlog and the standard library's logging alike. `config`: level and format (json or console)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact_secrets,
        structlog.processors.format_exc_info,
        redact_links,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if config["format"] == "console" else structlog.processors.JSONRenderer()
    )
    if not structlog.is_configured():  # a logger that was used once keeps what it found then
        structlog.configure(
            processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=True,
        )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "marina": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "marina"}},
            "root": {"handlers": ["stderr"], "level": config["level"]},
            "loggers": {name: {"level": "WARNING"} for name in _QUIET},
        }
    )
