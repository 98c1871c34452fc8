"""Every date of Secrets Manager is decoded as a date, also where boto3's own parser is not used.

The dates come from botocore's model, not from the product's list.
"""

import json
from datetime import UTC, datetime
from unittest.mock import Mock

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse

from handlers.adapters import clients, secrets
from rotation_guard.cli import secret_listing
from rotation_guard.cli.account import Account
from rotation_guard.cli.aws import AwsSession
from rotation_guard.domain.secret import DATE_FIELDS, parse_secret

MODEL = botocore.session.get_session().get_service_model("secretsmanager")
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
EDIT = "add it to DATE_FIELDS in rotation_guard/domain/secret.py"


def timestamps(shape):
    """The members of one of botocore's shapes that are dates."""
    names = [name for name, member in MODEL.shape_for(shape).members.items() if member.type_name == "timestamp"]
    assert names
    return names


def entry_of(shape, date, **fields):
    """An entry in which every date has this value."""
    return {**fields, **dict.fromkeys(timestamps(shape), date)}


def find_undecoded(entry, shape):
    return [f"{name} stays {entry[name]!r}: {EDIT}" for name in timestamps(shape) if entry[name] != CREATED]


@pytest.fixture
def respond_with(monkeypatch):
    """Makes a client, which is the handlers' by default, receive this JSON instead of a response of AWS."""
    for name, value in {"REGION": "eu-west-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(f"AWS_{name}" if name != "REGION" else "AWS_DEFAULT_REGION", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    clients.client.cache_clear()
    body = {}

    def respond(request, **_):
        raw = Mock(stream=lambda *_: iter([json.dumps(body).encode()]))
        return AWSResponse(request.url, 200, {}, raw)

    def configure(content, client=None, **settings):
        body.update(content)
        client = client or clients.client("secretsmanager", **settings)
        client.meta.events.register("before-send.secrets-manager", respond)

    yield configure
    clients.client.cache_clear()


@pytest.fixture
def scanned(respond_with, monkeypatch):
    """An account whose client receives this JSON, and the client."""
    created = []

    def configure(content):
        client = boto3.client
        monkeypatch.setattr(
            AwsSession,
            "client",
            lambda _, name, **__: created.append(client(name, region_name="eu-west-1")) or created[0],
        )
        account = Account(AwsSession())
        respond_with(content, created[0])
        return created[0], account

    return configure


@pytest.fixture
def parsed(monkeypatch):
    """The entries that are passed to parse_secret."""
    entries = []

    def parse(entry):
        entries.append(entry)
        return parse_secret(entry)

    for module in (secrets, secret_listing):
        monkeypatch.setattr(module, "parse_secret", parse)
    return entries


@pytest.mark.parametrize("shape", ["SecretListEntry", "DescribeSecretResponse"])
def test_the_date_fields_are_those_of_aws(shape):
    assert sorted(DATE_FIELDS) == sorted(timestamps(shape)), EDIT


def test_the_audit_decodes_every_date_of_a_listed_secret(respond_with, parsed):
    respond_with({"SecretList": [entry_of("SecretListEntry", CREATED.timestamp(), Name="orders/db", ARN=ARN)]})

    secrets.Secrets().list_page(None)

    [entry] = parsed
    assert not find_undecoded(entry, "SecretListEntry")


def test_the_audit_decodes_every_date_of_a_version(respond_with):
    version = entry_of("SecretVersionsListEntry", CREATED.timestamp(), VersionId="v1", VersionStages=["AWSCURRENT"])
    respond_with({"Versions": [version]}, answers_within=2)

    page = clients.client("secretsmanager", answers_within=2).list_secret_version_ids(SecretId=ARN)
    current, dates = secrets.read_current_dates(ARN)

    assert not find_undecoded(page["Versions"][0], "SecretVersionsListEntry")
    assert (current, dates.value_created_at) == ("v1", CREATED)


@pytest.mark.parametrize("date", [CREATED.timestamp(), CREATED.isoformat()])
def test_a_scan_of_a_file_decodes_every_date_of_a_listed_secret(tmp_path, parsed, date):
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps([entry_of("SecretListEntry", date, Name="orders/db", ARN=ARN)]))

    secret_listing.read_listings(str(path))

    [entry] = parsed
    assert not find_undecoded(entry, "SecretListEntry")


@pytest.mark.parametrize("date", [CREATED.timestamp(), CREATED.isoformat()])
def test_a_scan_of_an_account_decodes_every_date_of_a_secret_and_of_its_versions(scanned, date):
    secret = entry_of("SecretListEntry", date, Name="orders/db", ARN=ARN, Description=None)
    client, account = scanned({"SecretList": [secret], "Versions": [entry_of("SecretVersionsListEntry", date)]})

    [entry] = account.entries()
    [version] = client.list_secret_version_ids(SecretId=ARN)["Versions"]

    assert not find_undecoded(entry, "SecretListEntry")
    assert not find_undecoded(version, "SecretVersionsListEntry")
    # As boto3 has it: what is null is not there.
    assert "Description" not in entry


def test_a_scan_of_an_account_reads_the_lists_themselves(scanned, monkeypatch):
    parsed = []
    monkeypatch.setattr(
        "botocore.parsers.JSONParser._handle_list", lambda self, shape, value: parsed.append(shape.name) or value
    )
    secret = entry_of("SecretListEntry", CREATED.timestamp(), Name="orders/db", ARN=ARN)
    version = entry_of("SecretVersionsListEntry", CREATED.timestamp())
    client, account = scanned({"SecretList": [secret], "Versions": [version]})

    account.entries()
    client.list_secret_version_ids(SecretId=ARN)

    assert parsed == []
