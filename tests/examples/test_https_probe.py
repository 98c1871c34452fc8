"""The HTTPS probe, against a local server with a self-signed certificate."""

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
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
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
    """Answers `/STATUS` with that status, never answers `/hang`, and records its requests."""
    ended = threading.Event()

    class Server(ThreadingHTTPServer):
        requests: ClassVar[list] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            Server.requests.append((self.path, self.headers["Authorization"]))
            if self.path == "/hang":
                ended.wait(30)
                return
            self.send_response(int(self.path[1:4]))
            self.send_header("Location", "/200")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002 - the library's name
            pass

    serving = Server(("127.0.0.1", 0), Handler)
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
def probe(module, invoke, server, certificate, monkeypatch):
    """Invokes the probe with the URL of the server and this path."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def run(path, value=None):
        monkeypatch.setenv("PROBE_URL", f"https://127.0.0.1:{server.server_port}{path}")
        server.requests.clear()
        return invoke(module, {"token": TOKEN} if value is None else value)

    return run


@pytest.mark.parametrize(
    ("status", "works"), [(200, True), (201, True), (204, True), (299, True), (401, False), (403, False)]
)
def test_the_status_shows_whether_the_token_works(probe, server, status, works):
    assert probe(f"/{status}?page=1") == {"works": works}
    assert server.requests == [(f"/{status}?page=1", f"Bearer {TOKEN}")]


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 404, 407, 429, 500, 503])
def test_any_other_status_is_an_error_and_the_token_is_sent_nowhere_else(probe, server, status):
    with pytest.raises(RuntimeError, match=f"^the API answered {status}, which says nothing of the token$"):
        probe(f"/{status}")
    assert len(server.requests) == 1


def test_a_server_that_hangs_is_an_error(probe, module, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)

    with pytest.raises(TimeoutError):
        probe("/hang")


def test_a_server_with_an_untrusted_certificate_does_not_get_the_token(probe, server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(ssl.SSLCertVerificationError):
        probe("/200")
    assert server.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1/", "https:///v1", "127.0.0.1"])
def test_a_url_without_https_or_host_is_not_called(module, invoke, monkeypatch, url):
    monkeypatch.setenv("PROBE_URL", url)

    with pytest.raises(ValueError, match=r"^PROBE_URL must begin with https:// and name a host$"):
        invoke(module, {"token": TOKEN})


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Other: 1", f"{TOKEN}\n", f"{TOKEN}€"])
def test_a_token_that_is_no_valid_header_is_not_quoted(probe, server, token):
    with pytest.raises(ValueError, match=r"^the token has characters that no HTTP header may have$") as raised:
        probe("/200", {"token": token})
    assert TOKEN not in str(raised.value)
    assert server.requests == []


@pytest.mark.parametrize("value", ["t0ken", {"password": TOKEN}])
def test_a_value_of_another_shape_is_an_error_that_does_not_quote_it(probe, value):
    with pytest.raises((ValueError, KeyError)) as raised:
        probe("/200", value)
    assert TOKEN not in str(raised.value)
