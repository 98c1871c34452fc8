"""The whole product in China and GovCloud: no ARN, host or console of the commercial partition is left in it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.organization.hub import Hub
from components.organization.member import Member
from components.rotation_guard import RotationGuard
from local.mocks.recording import Recording, deploy
from tests.components.samples.everything import EVERYTHING
from tests.paths import ROOT

PARTITIONS = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}
"""(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)"""
CONSOLES = {"cn-north-1": "console.amazonaws.cn", "us-gov-west-1": "console.amazonaws-us-gov.com"}
"""(https://console.amazonaws.cn, https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/configure-account.html)"""
POWERTOOLS_ACCOUNTS = {"cn-north-1": "498634801083", "us-gov-west-1": "165093116878"}
"""(https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/)"""
HUB = "arn:aws:events:eu-west-1:999900009999:event-bus/hub"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:critical"
SOURCES = ("components", "handlers", "rotation_guard")
_ARN = re.compile(r"arn:(aws[\w-]*):[\w-]+:([\w*-]*):")
_HOST = re.compile(r"https?://([\w.-]+)")
_PRINCIPAL = re.compile(r"[\w.-]*\bamazonaws\.com[\w.]*")


def move(value: Any, region: str) -> Any:
    """The settings, whose ARNs are of eu-west-1, with ARNs of this Region."""
    text = json.dumps(value).replace("arn:aws:", f"arn:{PARTITIONS[region]}:").replace("eu-west-1", region)
    return json.loads(text)


def list_texts(value: Any) -> Iterator[str]:
    """Every text in inputs, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from list_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from list_texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.fixture(params=PARTITIONS)
def region(request) -> str:
    return request.param


@pytest.fixture
def texts(region) -> list[str]:
    """Every text in every input and output of the product, with every setting and with almost none, hub and member."""
    components = (
        (RotationGuard, EVERYTHING),
        (RotationGuard, {"create_trail": True, "remediation_mode": "retry"}),
        (Hub, {"organization_id": "o-a1b2c3d4e5", "member_accounts": ["444455556666"]}),
        (Member, {"hub_event_bus_arn": HUB, "alarms_topic_arn": TOPIC}),
    )
    recordings: list[Recording] = [
        deploy(component, "guard", move(settings, region), region=region, config={"aws:region": region})
        for component, settings in components
    ]
    return [
        text
        for recording in recordings
        for inputs in ([resource.inputs for resource in recording.resources], recording.outputs)
        for text in list_texts(inputs)
    ]


def test_every_arn_is_of_the_partition_and_region(texts, region):
    arns = [match for text in texts for match in _ARN.findall(text)]

    assert len(arns) > 500
    assert {partition for partition, _ in arns} == {PARTITIONS[region]}
    assert {of for _, of in arns} <= {region, ""}


def test_every_host_of_aws_is_of_the_partition(texts, region):
    hosts = {host for text in texts for host in _HOST.findall(text)}
    queues = f"sqs.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")

    receivers = {"hooks.slack.com", "events.eu.pagerduty.com"}
    assert hosts - receivers == {f"{region}.{CONSOLES[region]}", queues, "example.com", "github.com"}


def test_service_principals_are_the_same_in_every_partition(texts):
    """They end in amazonaws.com in China, too
    (https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_iam.ServicePrincipalOpts.html)."""
    names = {name for text in texts for name in _PRINCIPAL.findall(text) if not name.startswith("sqs.")}

    services = ("cloudtrail", "cloudwatch", "events", "lambda", "scheduler", "secretsmanager", "sns", "ssm", "states")
    assert names == {f"{service}.amazonaws.com" for service in services}


def test_the_layer_is_the_one_that_is_published_there(region):
    recording = deploy(RotationGuard, "guard", {}, region=region, config={"aws:region": region})

    layers = {
        layer for function in recording.of_type("aws:lambda/function:Function") for layer in function.inputs["layers"]
    }
    [layer] = layers
    assert layer.startswith(f"arn:{PARTITIONS[region]}:lambda:{region}:{POWERTOOLS_ACCOUNTS[region]}:layer:")


def list_strings(path: Path) -> Iterator[str]:
    """The texts of a source that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_source_names_the_commercial_partition_in_an_arn():
    sources = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]

    assert len(sources) > 100
    assert [f"{path}: {text}" for path in sources for text in list_strings(path) if "arn:aws:" in text] == []
