"""Every date that Secrets Manager sends is read as a date, wherever an entry is decoded without boto3's own parser.

Which members are dates is read from botocore's model, not from our list.
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
from rotation_guard.domain.secret import DATE_FIELDS, parse_secret

MODEL = botocore.session.get_session().get_service_model("secretsmanager")
MADE = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
EDIT = "add it to DATE_FIELDS in rotation_guard/domain/secret.py"


def timestamps(shape):
    """The members of a shape of botocore's that are dates."""
    names = [name for name, member in MODEL.shape_for(shape).members.items() if member.type_name == "timestamp"]
    assert names
    return names


def entry_of(shape, date, **fields):
    """An entry in which every date has this value."""
    return {**fields, **dict.fromkeys(timestamps(shape), date)}


def not_dates(entry, shape):
    return [f"{name} stays {entry[name]!r}: {EDIT}" for name in timestamps(shape) if entry[name] != MADE]


@pytest.fixture
def answer(monkeypatch):
    """Lets the handlers' client receive this JSON instead of an answer of AWS."""
    for name, value in {"REGION": "eu-west-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(f"AWS_{name}" if name != "REGION" else "AWS_DEFAULT_REGION", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    clients.client.cache_clear()
    body = {}

    def respond(request, **_):
        raw = Mock(stream=lambda *_: iter([json.dumps(body).encode()]))
        return AWSResponse(request.url, 200, {}, raw)

    def arrange(content, **settings):
        body.update(content)
        clients.client("secretsmanager", **settings).meta.events.register("before-send.secrets-manager", respond)

    yield arrange
    clients.client.cache_clear()


@pytest.fixture
def parsed(monkeypatch):
    """The entries that a module hands to parse_secret."""
    entries = []

    def parse(entry):
        entries.append(entry)
        return parse_secret(entry)

    for module in (secrets, secret_listing):
        monkeypatch.setattr(module, "parse_secret", parse)
    return entries


@pytest.mark.parametrize("shape", ["SecretListEntry", "DescribeSecretResponse"])
def test_the_list_of_date_fields_is_that_of_aws(shape):
    assert sorted(DATE_FIELDS) == sorted(timestamps(shape)), EDIT


def test_the_audit_decodes_every_date_of_a_listed_secret(answer, parsed):
    answer({"SecretList": [entry_of("SecretListEntry", MADE.timestamp(), Name="orders/db", ARN=ARN)]})

    secrets.Secrets().list_page(None)

    [entry] = parsed
    assert not not_dates(entry, "SecretListEntry")


def test_the_audit_decodes_every_date_of_a_version(answer):
    version = entry_of("SecretVersionsListEntry", MADE.timestamp(), VersionId="v1", VersionStages=["AWSCURRENT"])
    answer({"Versions": [version]}, answers_within=2)

    page = clients.client("secretsmanager", answers_within=2).list_secret_version_ids(SecretId=ARN)
    current, dates = secrets.read_current_dates(ARN)

    assert not not_dates(page["Versions"][0], "SecretVersionsListEntry")
    assert (current, dates.value_created_at) == ("v1", MADE)


@pytest.mark.parametrize("date", [MADE.timestamp(), MADE.isoformat()])
def test_a_scan_of_a_file_decodes_every_date_of_a_listed_secret(tmp_path, parsed, date):
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps([entry_of("SecretListEntry", date, Name="orders/db", ARN=ARN)]))

    secret_listing.read_listing(str(path))

    [entry] = parsed
    assert not not_dates(entry, "SecretListEntry")
