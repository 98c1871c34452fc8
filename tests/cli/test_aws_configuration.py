"""The precedence of Region and profile: options, then the stack, then the environment, then the profile."""

from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.cli.aws import AwsSession

from .stacks import LOCAL_ENDPOINT

NO_REGION = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Sets the environment, and a profile `audit` of Region ap-south-1."""
    path = tmp_path / "config"
    path.write_text("[profile audit]\nregion = ap-south-1\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))

    def set_environment(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    return set_environment


@pytest.mark.parametrize(
    ("session", "variables", "region"),
    [
        (
            AwsSession("audit", "eu-north-1"),
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"},
            "eu-north-1",
        ),
        (AwsSession("audit"), {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        (AwsSession("audit"), {"AWS_REGION": None, "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        (AwsSession("audit"), {"AWS_REGION": "", "AWS_DEFAULT_REGION": None}, "ap-south-1"),
        (AwsSession(), {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": None}, "eu-west-1"),
        (AwsSession(), {**NO_REGION, "AWS_PROFILE": "audit"}, "ap-south-1"),
    ],
)
def test_the_region_follows_the_documented_precedence(configured, session, variables, region):
    # As the SDKs and the AWS CLI have it: docs.aws.amazon.com/sdkref/latest/guide/feature-region.html.
    configured(**variables)

    assert session.client("sts").meta.region_name == region


def test_the_stacks_region_overrides_the_environment(stack, run_on_stack):
    result = run_on_stack("remediation", "status", AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1")

    assert result.exit_code == 0
    assert "Region eu-west-1" in result.stdout


def test_a_missing_region_is_an_error_that_names_the_variable(configured, run, aws):
    configured(**NO_REGION, AWS_CONFIG_FILE="/dev/null")

    result = run("scan")

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "No Region is configured: give --region, or set AWS_REGION" in result.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_PROFILE": "no-such-profile"},
        {"AWS_DEFAULT_PROFILE": "no-such-profile"},
        {"AWS_CONFIG_FILE": "{folder}/garbage"},
        {"AWS_SHARED_CREDENTIALS_FILE": "{folder}/garbage"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"},
        {"AWS_DEFAULTS_MODE": "no-such-mode"},
        {"AWS_MAX_ATTEMPTS": "many", "AWS_METADATA_SERVICE_TIMEOUT": "long"},
        {"AWS_REQUEST_CHECKSUM_CALCULATION": "never"},
    ],
)
def test_a_local_deployment_ignores_the_operators_aws_configuration(configured, tmp_path, variables):
    (tmp_path / "garbage").write_text("[profile\n=")
    configured(**{name: value.format(folder=tmp_path) for name, value in variables.items()})

    client = AwsSession(None, "eu-west-1", "http://127.0.0.1:1", "a", "b").client("ssm")

    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:1", "eu-west-1")
    assert client._get_credentials().access_key == "a"


@pytest.mark.parametrize(
    ("options", "variables", "message"),
    [
        (["--profile", "nope"], {}, "--profile must be a profile of the AWS configuration, got 'nope'."),
        ([], {"AWS_PROFILE": "nope"}, "AWS_PROFILE must be a profile of the AWS configuration, got 'nope'."),
        ([], {"AWS_DEFAULT_PROFILE": "nope"}, "AWS_DEFAULT_PROFILE must be a profile of the AWS configuration"),
    ],
)
def test_an_unknown_profile_is_reported_with_its_source(stack, run_on_stack, options, variables, message):
    result = run_on_stack("remediation", "status", *options, **variables)

    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert message in result.stderr


@pytest.mark.parametrize("session", [AwsSession(region="eu-west-1"), AwsSession(None, "eu-west-1", LOCAL_ENDPOINT)])
def test_cloudtrail_sees_which_program_calls(aws, session):
    agents = []
    client = session.client("sts")
    client.meta.events.register("before-send", lambda request, **_: agents.append(request.headers["User-Agent"]))

    with suppress(BotoCoreError, ClientError):
        client.get_caller_identity()

    [agent, *_] = agents
    assert agent.decode().startswith("rotation-guard Botocore/")
