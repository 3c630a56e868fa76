"""Nothing is sent to private, loopback, link-local or metadata addresses, by whatever name or form they are reached."""

import socket
import ssl
import threading
import time
from ipaddress import ip_address

import pytest
from django.conf import settings as django_settings

from accounts.errors import InvalidInput
from accounts.outgoing_addresses import address_refused, resolve
from accounts.webhook_transport import Transport, Undelivered
from accounts.webhook_urls import url_check
from localkube.pki import Authority
from tests.accounts.receiver import Receiver

PRIVATE = (
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
)
NEVER = (
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fd00:ec2::254",
    "168.63.129.16",
    "100.100.100.200",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
)


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_refused_unless_the_setting_allows_them(text):
    assert address_refused(ip_address(text), allow_private=False)
    assert not address_refused(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("allow", [True, False])
def test_link_local_metadata_and_multicast_are_refused_whatever_is_set(text, allow):
    assert address_refused(ip_address(text), allow_private=allow)


@pytest.mark.parametrize("text", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_public_addresses_are_taken(text):
    assert not address_refused(ip_address(text), allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https://",
        "https:///hook",
        "https://user:pass@example.org/",
        "https://example.org/#part",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://a.localhost./",
        "https://[fe80::1%25eth0]/",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_when_it_is_given(url):
    with pytest.raises(InvalidInput) as refused:
        url_check(url, allow_private=False)
    assert refused.value.field == "url"
    assert refused.value.accepted


@pytest.mark.parametrize("url", ["https://example.org", "https://hooks.example.org:8443/a?b=c", "https://1.1.1.1/x"])
def test_other_addresses_are_taken(url):
    url_check(url, allow_private=False)


def test_with_the_setting_plain_http_on_this_machine_is_taken():
    url_check("http://127.0.0.1:8080/hook", allow_private=True)
    with pytest.raises(InvalidInput):
        url_check("http://169.254.169.254/", allow_private=True)


# --- at the time of sending -------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _short(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = False
    settings.WEBHOOK_TIMEOUT_SECONDS = 2.0


def names(*answers: str):
    """A resolver that gives these addresses one after the other, and counts how often it was asked."""
    asked: list[str] = []

    def look_up(host: str, port: int):
        text = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        return [(family, (text, port, 0, 0) if ":" in text else (text, port))]

    return look_up, asked


@pytest.mark.parametrize("text", [*PRIVATE, *NEVER])
def test_a_name_that_leads_to_such_an_address_gets_no_connection(text):
    look_up, _ = names(text)
    with Receiver() as receiver, pytest.raises(Undelivered, match="nothing is delivered there"):
        Transport(resolver=look_up).post(f"http://hook.example:{receiver.port}/", body=b"{}", headers={})
    assert receiver.received == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_other_forms_of_a_loopback_address_get_no_connection(host):
    with Receiver() as receiver, pytest.raises(Undelivered):
        Transport().post(f"http://{host}:{receiver.port}/", body=b"{}", headers={})
    assert receiver.received == []


def test_a_name_whose_answer_changes_after_the_check_is_looked_up_once_only():
    look_up, asked = names("203.0.113.7", "127.0.0.1")  # a documentation address: refused as reserved
    with Receiver() as receiver, pytest.raises(Undelivered):
        Transport(resolver=look_up).post(f"http://hook.example:{receiver.port}/", body=b"{}", headers={})
    assert (asked, receiver.received) == (["hook.example"], [])


def test_what_was_checked_is_what_is_connected_to(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    look_up, asked = names("127.0.0.1", "169.254.169.254")
    with Receiver() as receiver:
        answer = Transport(resolver=look_up).post(f"http://hook.example:{receiver.port}/a?b", body=b"{}", headers={})
    assert (answer.status, asked) == (204, ["hook.example"])
    assert receiver.received[0].headers["host"] == f"hook.example:{receiver.port}"
    assert receiver.received[0].path == "/a?b"


def test_of_several_addresses_only_the_allowed_are_tried(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with Receiver() as receiver:

        def both(host: str, port: int):
            return [(socket.AF_INET, ("169.254.169.254", port)), *resolve("127.0.0.1", port)]

        assert Transport(resolver=both).post(receiver.url, body=b"{}", headers={}).status == 204


def test_a_receiver_written_as_an_ipv6_address_is_reached_where_it_is_allowed(settings):
    with Receiver(host="::1") as receiver:
        with pytest.raises(Undelivered, match="loopback"):
            Transport().post(receiver.url, body=b"{}", headers={})
        settings.WEBHOOK_ALLOW_PRIVATE = True
        assert Transport().post(receiver.url, body=b"{}", headers={}).status == 204
    assert [each.headers["host"] for each in receiver.received] == [f"[::1]:{receiver.port}"]


def test_a_name_that_nobody_answers_for_holds_nothing_up_for_longer_than_a_delivery_may_take(settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.2
    gate = threading.Event()

    def silent(host: str, port: int):
        gate.wait(20)
        return resolve("127.0.0.1", port)

    begun = time.monotonic()
    with pytest.raises(Undelivered, match="did not answer in time"):
        Transport(resolver=silent).post("http://hook.example/", body=b"{}", headers={})
    assert time.monotonic() - begun < 10
    gate.set()


def test_a_proxy_of_the_environment_is_not_asked(settings, monkeypatch):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with Receiver() as receiver, Receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert Transport().post(receiver.url, body=b"{}", headers={}).status == 204
    assert (len(receiver.received), proxy.received) == (1, [])


def test_the_certificate_is_checked_against_the_name_and_the_name_goes_out_as_sni(settings, tmp_path):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    authority = Authority(tmp_path, "tests")
    asked_for: list[str | None] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.issue_files("hook", "hook.example", hosts=["hook.example"]))
    server.sni_callback = lambda _, name, __: asked_for.append(name)
    trusting = ssl.create_default_context(cafile=str(authority.certificate_file))
    look_up, _ = names("127.0.0.1")
    with Receiver(server) as receiver:
        good = Transport(resolver=look_up, tls=trusting)
        answer = good.post(f"https://hook.example:{receiver.port}/", body=b"{}", headers={})
        assert (answer.status, asked_for) == (204, ["hook.example"])
        with pytest.raises(Undelivered, match="certificate is not trusted"):
            good.post(f"https://other.example:{receiver.port}/", body=b"{}", headers={})
        with pytest.raises(Undelivered, match="certificate is not trusted"):
            Transport(resolver=look_up).post(f"https://hook.example:{receiver.port}/", body=b"{}", headers={})
    assert len(receiver.received) == 1


def test_where_nothing_listens_or_no_name_is_known_a_sentence_says_so(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with pytest.raises(Undelivered, match="refused the connection"):
        Transport().post(f"http://127.0.0.1:{port}/", body=b"{}", headers={})

    def unknown(host: str, port: int):
        raise socket.gaierror

    with pytest.raises(Undelivered, match="could not be resolved"):
        Transport(resolver=unknown).post("https://nowhere.example/", body=b"{}", headers={})


def test_unless_it_is_set_private_addresses_are_not_allowed():
    from dev.settings_names import settings_read

    assert {each.name: each.default for each in settings_read()}["WEBHOOK_ALLOW_PRIVATE"] == "False"
    assert not django_settings.WEBHOOK_ALLOW_PRIVATE
