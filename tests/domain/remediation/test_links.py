"""The links in a notification."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from rotation_guard.domain.remediation.incidents import Outcome
from rotation_guard.domain.remediation.links import (
    build_execution_link,
    build_log_link,
    build_runbook_link,
    build_secret_link,
)
from tests.paths import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws", "ap-southeast-4", "ap-southeast-4.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_links_are_in_the_console_of_their_partition(partition, region, host):
    execution = f"arn:{partition}:states:{region}:111122223333:execution:remediation:RotationFailed-0d9f6a1e"

    to_secret = urlsplit(
        build_secret_link(f"arn:{partition}:secretsmanager:{region}:111122223333:secret:a b&c/d-Ab12Cd")
    )
    to_execution = urlsplit(build_execution_link(execution))

    assert (to_secret.scheme, to_secret.netloc, to_secret.path) == ("https", host, "/secretsmanager/secret")
    assert parse_qs(to_secret.query) == {"name": ["a b&c/d"], "region": [region]}
    assert (to_execution.scheme, to_execution.netloc, to_execution.path) == ("https", host, "/states/home")
    assert to_execution.query == f"region={region}"
    assert to_execution.fragment == f"/v2/executions/details/{execution}"


def test_the_link_to_the_log_is_in_the_console_of_its_partition():
    function = "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders-rotation"

    link = build_log_link(function, "/aws/lambda/orders-rotation")

    # As the console writes it: percent-encoded twice, with a dollar sign for the percent sign.
    assert link == (
        "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1"
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Forders-rotation"
    )
    assert build_log_link("arn:aws-iso:lambda:us-iso-east-1:1:function:x", "/aws/lambda/x") == ""


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "execution-1",
        "arn:aws",
        "arn:aws:states:evil.example/:1:execution:x",
        "arn:aws:states::1:execution:x",
        "arn:aws-new:states:eu-west-1:1:execution:x",
    ],
)
def test_an_arn_without_a_known_console_has_no_link(arn):
    assert build_execution_link(arn) == build_secret_link(arn) == ""


@pytest.mark.parametrize("about", [*Outcome, "opened", "retried", "missing", "unidentified"])
def test_every_outcome_has_a_heading_in_the_runbook(about):
    headings = {match.replace(" ", "-") for match in re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)}

    page, _, anchor = build_runbook_link("https://example.com/runbook", about).partition("#")

    assert page == "https://example.com/runbook"
    assert anchor in headings


def test_another_runbook_may_be_configured():
    assert (
        build_runbook_link("https://example.com/book", Outcome.RATE_LIMITED) == "https://example.com/book#rate-limited"
    )


def test_a_transition_without_a_heading_links_to_the_top_of_the_runbook():
    assert build_runbook_link("https://example.com/book", "recovered") == "https://example.com/book"


def test_a_configured_runbook_url_keeps_its_fragment():
    assert (
        build_runbook_link("https://example.com/book#rotation", Outcome.RATE_LIMITED)
        == "https://example.com/book#rotation"
    )


def test_without_a_runbook_there_is_no_link():
    assert build_runbook_link("", Outcome.RATE_LIMITED) == ""
