"""Logging as it is set up, and set up again by whatever starts Django a second time in a process."""

import structlog
from django.conf import settings
from structlog.testing import capture_logs

from controlplane.logs import configure


def test_a_logger_that_was_used_is_heard_after_logging_was_set_up_again():
    log = structlog.get_logger("tests.logs")
    log.debug("used")
    configure(settings.LOGGING)
    with capture_logs() as logs:
        log.error("heard")
    assert [each["event"] for each in logs] == ["heard"]
