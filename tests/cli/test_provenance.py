"""Every report says which account and Region it is about, by whom, when and with which version it was made."""

import csv
import io
import json

import pytest

from .conftest import CALLER, aws_error
from .portfolio import COMMANDS, NOW, SENTENCES
from .stacks import ACCOUNT

OF_THE_ACCOUNT = [name for name in COMMANDS if name != "scan"]
"""A scan of a file has no caller."""
TIME = f"{NOW:%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize("name", OF_THE_ACCOUNT)
def test_every_format_names_account_region_version_caller_and_time(portfolio, name):
    words = COMMANDS[name]

    table, markdown = (portfolio.run(*words, *more, COLUMNS="500").stdout for more in ((), ("--format", "markdown")))
    answer = json.loads(portfolio.run(*words, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(portfolio.run(*words, "--format", "csv").stdout)))

    identity = {"account_id": ACCOUNT, "account_alias": "acme-prod", "region": "eu-west-1", "caller_arn": CALLER}
    for text in (table, markdown):
        assert f"account: {ACCOUNT} (acme-prod), Region eu-west-1" in text
        assert f"generated: {TIME} by {CALLER}, rotation-guard 1.2.3" in text
    assert (answer["identity"] or answer["parts"][0]["identity"]) == identity
    assert (answer["product_version"], answer["generated_at"]) == ("1.2.3", "2026-03-01T18:00:00Z")
    expected = identity | {"product_version": "1.2.3", "generated_at": "2026-03-01T18:00:00Z"}
    assert rows
    assert {name: rows[0][name] for name in expected} == expected


@pytest.mark.parametrize("name", ["remediation-stop", "remediation-go"])
def test_sentences_about_the_kill_switch_name_them_too(portfolio, name):
    text = portfolio.run(*SENTENCES[name]).stdout

    assert f"Account: {ACCOUNT} (acme-prod), Region eu-west-1." in text
    assert f"Generated: {TIME} by {CALLER}, rotation-guard 1.2.3." in text


@pytest.mark.parametrize("name", [name for name in OF_THE_ACCOUNT if name.startswith(("incidents", "verify", "remed"))])
def test_what_cannot_be_read_is_unknown_and_fails_nothing(portfolio, name):
    expected = portfolio.run(*COMMANDS[name]).exit_code
    portfolio.answers["GetCallerIdentity"] = lambda _: aws_error("AccessDenied")

    result = portfolio.run(*COMMANDS[name], "--format", "json")

    answer = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (expected, "")
    assert answer["identity"] == {
        "account_id": None,
        "account_alias": None,
        "region": "eu-west-1",
        "caller_arn": None,
    }
    assert "account: unknown, Region eu-west-1" in portfolio.run(*COMMANDS[name], COLUMNS="200").stdout


def test_without_credentials_evidence_is_verified_all_the_same(portfolio, monkeypatch):
    evidence = portfolio.run("report", "--stack-outputs", "outputs.json", "--evidence", "evidence")
    assert evidence.exit_code == 0, evidence.stderr
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "missing")

    result = portfolio.run("verify", "evidence", "--format", "json")

    assert (result.exit_code, result.stderr) == (0, "")
    # The account is that of the evidence; nobody knows who verified it.
    assert json.loads(result.stdout)["identity"] == {
        "account_id": ACCOUNT,
        "account_alias": "acme-prod",
        "region": "eu-west-1",
        "caller_arn": None,
    }
