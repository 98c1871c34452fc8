"""The PostgreSQL probe, with the driver in its place played by its own interface: it is packed with the function only.

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
    """Answers a login with what it is told to, and keeps how it was asked."""

    def __init__(self):
        self.answer: Exception | None = None
        self.asked: list[tuple] = []
        self.closed = 0

    def connect(self, *user, **how):
        self.asked.append((*user, how))
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
def probe(load, ask, driver):
    module = load("probe/postgresql/probe.py")
    return lambda value=LOGIN: ask(module, value)


def refused(state):
    """As the server says it (https://www.postgresql.org/docs/current/protocol-error-fields.html)."""
    return DatabaseError({"S": "FATAL", "V": "FATAL", "C": state, "M": 'no login for user "orders"'})


def test_a_user_that_is_let_in_works_and_is_logged_out_again(probe, driver):
    assert probe() == {"works": True}
    assert driver.closed == 1


@pytest.mark.parametrize("state", ["28P01", "28000"])
def test_a_user_that_is_refused_does_not(probe, driver, state):
    driver.answer = refused(state)

    assert probe() == {"works": False}


@pytest.mark.parametrize(
    "answer",
    [
        refused("3D000"),  # no such database
        refused("53300"),  # too many connections
        refused("57P03"),  # the server is starting
        DatabaseError({"M": "without a state"}),
        InterfaceError("Can't create a connection to host db.example.com and port 5432"),
        TimeoutError("timed out"),
        ssl.SSLError("certificate verify failed"),
    ],
)
def test_whatever_else_happens_is_neither_yes_nor_no(probe, driver, answer):
    driver.answer = answer

    with pytest.raises(type(answer)) as raised:
        probe()
    assert raised.value is answer


def test_the_login_is_the_one_of_the_version_encrypted_and_in_time(probe, driver):
    probe({**LOGIN, "port": "6432", "dbname": "shop", "engine": "postgres"})

    [(user, how)] = driver.asked
    context = how.pop("ssl_context")
    assert user == "orders"
    assert how == {
        "password": "hunter2",
        "host": "db.example.com",
        "port": 6432,
        "database": "shop",
        "timeout": 5,
    }
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_port_and_database_are_those_of_aws_unless_the_secret_says(probe, driver):
    probe()

    [(_, how)] = driver.asked
    assert (how["port"], how["database"]) == (5432, "postgres")


def test_the_authorities_of_the_server_may_be_given(probe, monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("CA_BUNDLE", str(tmp_path / "empty.pem"))

    with pytest.raises(ssl.SSLError):  # it was read, and has no certificate
        probe()


def test_a_value_without_a_host_is_neither_yes_nor_no(probe, driver):
    with pytest.raises(KeyError, match=r"^'host'$"):
        probe({"username": "orders", "password": "hunter2"})
    assert driver.asked == []
