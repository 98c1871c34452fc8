"""The HTTPS probe, against a server of its own on this machine, with a certificate that was made for it."""

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TOKEN = "t0ken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    signed = made.add_extension(address, critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture(scope="module")
def server(certificate):
    """Answers `/STATUS` with that status, and `/hang` with nothing; keeps what it was asked."""
    ended = threading.Event()

    class Server(ThreadingHTTPServer):
        asked: ClassVar[list] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            Server.asked.append((self.path, self.headers["Authorization"]))
            if self.path == "/hang":
                ended.wait(30)
                return
            self.send_response(int(self.path[1:4]))
            self.send_header("Location", "/200")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002 - the library's name
            pass

    serving = Server(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    serving.socket = context.wrap_socket(serving.socket, server_side=True)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield serving
    ended.set()
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture
def module(load):
    return load("probe/https/probe.py")


@pytest.fixture
def probe(module, ask, server, certificate, monkeypatch):
    """Asks the probe with the server answering at this path."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def run(path, value=None):
        monkeypatch.setenv("PROBE_URL", f"https://127.0.0.1:{server.server_port}{path}")
        server.asked.clear()
        return ask(module, {"token": TOKEN} if value is None else value)

    return run


@pytest.mark.parametrize(
    ("status", "works"), [(200, True), (201, True), (204, True), (299, True), (401, False), (403, False)]
)
def test_the_api_says_whether_the_token_works(probe, server, status, works):
    assert probe(f"/{status}?page=1") == {"works": works}
    assert server.asked == [(f"/{status}?page=1", f"Bearer {TOKEN}")]


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 404, 407, 429, 500, 503])
def test_any_other_status_is_neither_yes_nor_no_and_sends_the_token_nowhere_else(probe, server, status):
    with pytest.raises(RuntimeError, match=f"^the API answered {status}, which says nothing of the token$"):
        probe(f"/{status}")
    assert len(server.asked) == 1


def test_a_server_that_hangs_is_neither_yes_nor_no(probe, module, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)

    with pytest.raises(TimeoutError):
        probe("/hang")


def test_a_server_that_nobody_vouches_for_is_not_told_the_token(probe, server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(ssl.SSLCertVerificationError):
        probe("/200")
    assert server.asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1/", "https:///v1", "127.0.0.1"])
def test_an_address_without_encryption_or_host_is_not_called(module, ask, monkeypatch, url):
    monkeypatch.setenv("PROBE_URL", url)

    with pytest.raises(ValueError, match=r"^PROBE_URL must begin with https:// and name a host$"):
        ask(module, {"token": TOKEN})


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Other: 1", f"{TOKEN}\n", f"{TOKEN}€"])
def test_a_token_that_no_header_may_have_is_not_quoted(probe, server, token):
    with pytest.raises(ValueError, match=r"^the token has characters that no HTTP header may have$") as raised:
        probe("/200", {"token": token})
    assert TOKEN not in str(raised.value)
    assert server.asked == []


@pytest.mark.parametrize("value", ["t0ken", {"password": TOKEN}])
def test_a_value_of_another_shape_is_neither_yes_nor_no_and_not_quoted(probe, value):
    with pytest.raises((ValueError, KeyError)) as raised:
        probe("/200", value)
    assert TOKEN not in str(raised.value)
