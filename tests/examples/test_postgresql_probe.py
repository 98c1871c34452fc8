"""The PostgreSQL probe, with a fake driver: the real one is only packaged with the function.

pg8000 raises DatabaseError with the fields of the server's message, and InterfaceError where there is no connection.
"""

import ssl
import sys
import types

import pytest

LOGIN = {"username": "orders", "password": "hunter2", "host": "db.example.com"}


class DatabaseError(Exception):
    pass


class InterfaceError(Exception):
    pass


class Driver:
    """Answers a login with `answer`, and records its arguments."""

    def __init__(self):
        self.answer: Exception | None = None
        self.logins: list[tuple] = []
        self.closed = 0

    def connect(self, *user, **options):
        self.logins.append((*user, options))
        if self.answer:
            raise self.answer
        return self

    def close(self):
        self.closed += 1


@pytest.fixture
def driver(monkeypatch):
    driver, module = Driver(), types.ModuleType("pg8000.native")
    vars(module).update(Connection=driver.connect, DatabaseError=DatabaseError, InterfaceError=InterfaceError)
    monkeypatch.setitem(sys.modules, "pg8000", types.ModuleType("pg8000"))
    monkeypatch.setitem(sys.modules, "pg8000.native", module)
    return driver


@pytest.fixture
def probe(load, invoke, driver):
    module = load("probe/postgresql/probe.py")
    return lambda value=LOGIN: invoke(module, value)


def server_error(state):
    """An error as the server reports it (https://www.postgresql.org/docs/current/protocol-error-fields.html)."""
    return DatabaseError({"S": "FATAL", "V": "FATAL", "C": state, "M": 'no login for user "orders"'})


def test_a_successful_login_works_and_is_closed_again(probe, driver):
    assert probe() == {"works": True}
    assert driver.closed == 1


@pytest.mark.parametrize("state", ["28P01", "28000"])
def test_a_rejected_login_does_not_work(probe, driver, state):
    driver.answer = server_error(state)

    assert probe() == {"works": False}


@pytest.mark.parametrize(
    "answer",
    [
        server_error("3D000"),  # no such database
        server_error("53300"),  # too many connections
        server_error("57P03"),  # the server is starting
        DatabaseError({"M": "without a state"}),
        InterfaceError("Can't create a connection to host db.example.com and port 5432"),
        TimeoutError("timed out"),
        ssl.SSLError("certificate verify failed"),
    ],
)
def test_any_other_failure_is_an_error(probe, driver, answer):
    driver.answer = answer

    with pytest.raises(type(answer)) as raised:
        probe()
    assert raised.value is answer


def test_the_login_is_that_of_the_version_with_tls_and_a_timeout(probe, driver):
    probe({**LOGIN, "port": "6432", "dbname": "shop", "engine": "postgres"})

    [(user, options)] = driver.logins
    context = options.pop("ssl_context")
    assert user == "orders"
    assert options == {
        "password": "hunter2",
        "host": "db.example.com",
        "port": 6432,
        "database": "shop",
        "timeout": 5,
    }
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_port_and_database_have_the_defaults_of_postgresql(probe, driver):
    probe()

    [(_, options)] = driver.logins
    assert (options["port"], options["database"]) == (5432, "postgres")


def test_the_certificate_authorities_can_be_configured(probe, monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("CA_BUNDLE", str(tmp_path / "empty.pem"))

    with pytest.raises(ssl.SSLError):  # it was read, and has no certificate
        probe()


def test_a_value_without_a_host_is_an_error(probe, driver):
    with pytest.raises(KeyError, match=r"^'host'$"):
        probe({"username": "orders", "password": "hunter2"})
    assert driver.logins == []
