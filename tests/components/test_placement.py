"""What must be in the stack's account and Region is rejected elsewhere, before anything is created if possible."""

import json
from typing import Any

import pulumi
import pulumi_aws
import pytest

from components.notifications.notifications import Notifications
from components.placement import Placement, find_placement, find_provider, require_same_place
from components.rotation_guard import RotationGuard
from components.settings import configuration
from components.settings.validation import InvalidSettings, complaints_about

from .samples.messages import ROLE, subscription

HERE = Placement("eu-west-1", frozenset({"111122223333"}))
SUBSCRIPTION, PERMISSION = "aws:sns/topicSubscription:TopicSubscription", "aws:lambda/permission:Permission"
OWNER = "because the owner of an endpoint elsewhere has to subscribe it"


def endpoint(protocol, region="eu-west-1", account="111122223333"):
    service, resource = {
        "sqs": ("sqs", "inbox"),
        "lambda": ("lambda", "function:pager:live"),
        "application": ("sns", "endpoint/GCM/app/5e3e"),
        "firehose": ("firehose", "deliverystream/archive"),
    }[protocol]
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def subscribe(protocol, **location):
    role = {"subscription_role_arn": ROLE} if protocol == "firehose" else {}
    return subscription(protocol=protocol, endpoint=endpoint(protocol, **location), **role)


@pytest.mark.parametrize("protocol", ["sqs", "lambda", "application", "firehose"])
@pytest.mark.parametrize(
    ("location", "limit"),
    [
        ({}, None),
        ({"region": "eu-central-1"}, "in the stack's Region, eu-west-1"),
        ({"account": "444455556666"}, "in the stack's account, 111122223333"),
    ],
)
def test_an_endpoint_must_be_in_the_account_and_region_of_the_stack(protocol, location, limit):
    settings = {"subscriptions": [subscription(), subscribe(protocol, **location)]}

    complaints = complaints_about(settings, placement=HERE)

    got = json.dumps(settings["subscriptions"][1]["endpoint"])
    assert complaints == ([f"subscriptions[1].endpoint must be {limit}, {OWNER}, got {got}"] if limit else [])


@pytest.mark.parametrize("location", [{"region": "eu-central-1"}, {"account": "444455556666"}])
def test_endpoints_must_be_in_the_same_account_and_region_as_each_other(location):
    settings = {"subscriptions": [subscribe("sqs"), subscribe("lambda", **location), subscribe("application")]}

    [complaint] = complaints_about(settings)

    assert complaint.startswith(
        "subscriptions[1].endpoint must be in the account and Region of subscriptions[0].endpoint, 111122223333 and "
        f"eu-west-1, as both have to be in the stack's, {OWNER}, got "
    )


@pytest.mark.parametrize("placement", [HERE, Placement()])
def test_a_secret_endpoint_is_not_repeated(placement):
    settings = {"subscriptions": [subscribe("sqs"), subscribe("sqs", account="444455556666")]}

    [complaint] = complaints_about(settings, secret_settings=frozenset({"subscriptions"}), placement=placement)

    assert complaint.endswith(", got a secret value")
    assert "444455556666" not in complaint
    assert "inbox" not in complaint


@pytest.mark.parametrize(
    ("setting", "arn"),
    [
        ("powertools_layer_arn", "arn:aws:lambda:us-east-1:111122223333:layer:powertools:7"),
        ("kms_key_arn", "arn:aws:kms:us-east-1:111122223333:key/7d0e-11"),
    ],
)
def test_a_layer_and_a_key_must_be_in_the_region_of_the_stack(setting, arn):
    assert complaints_about({setting: arn}, placement=Placement("us-east-1", HERE.accounts)) == []

    [complaint] = complaints_about({setting: arn}, placement=HERE)

    assert complaint.startswith(f"{setting} must be in the stack's Region, eu-west-1, as ")
    assert complaint.endswith(f'got "{arn}"')


@pytest.mark.parametrize(
    ("region", "is_published"), [("us-gov-west-1", True), ("cn-north-1", True), ("cn-northwest-1", False)]
)
def test_a_layer_is_required_in_a_region_without_a_public_one(region, is_published):
    complaints = complaints_about({}, placement=Placement(region))

    assert complaints == (
        []
        if is_published
        else [
            f"powertools_layer_arn must be given in {region}, where no layer with Powertools is published, got nothing"
        ]
    )
    own = f"arn:aws-cn:lambda:{region}:111122223333:layer:powertools:1"
    assert complaints_about({"powertools_layer_arn": own}, placement=Placement(region)) == []


@pytest.mark.parametrize(
    ("config", "variables", "region"),
    [
        ({"aws:region": "us-east-1"}, {"AWS_REGION": "eu-west-1"}, "us-east-1"),
        ({}, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({}, {"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({}, {}, None),
    ],
)
def test_the_region_is_that_of_the_default_provider(run, monkeypatch, config, variables, region):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    placements = []

    run(lambda: placements.append(find_placement(None)), config=config)

    assert placements == [Placement(region, frozenset())]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowedAccountIds", ["111122223333"]),
        ("allowedAccountIds", [111122223333]),
        ("assumeRole", {"roleArn": "arn:aws:iam::111122223333:role/deploy"}),
        (
            "assumeRoles",
            [{"roleArn": f"arn:aws:iam::{account}:role/deploy"} for account in ("444455556666", "111122223333")],
        ),
    ],
)
def test_the_account_is_that_of_the_configuration_of_the_provider(run, key, value):
    placements = []

    run(lambda: placements.append(find_placement(None)), config={f"aws:{key}": json.dumps(value)})

    assert placements == [HERE]


def test_an_account_that_yaml_reads_as_a_number_keeps_its_leading_zeros(run):
    accounts = []

    run(lambda: accounts.append(find_placement(None).accounts), config={"aws:allowedAccountIds": "[12345678901]"})

    assert accounts == [{"012345678901"}]


def test_account_and_region_of_an_explicit_provider_are_unknown(run):
    results = []

    def program():
        own = pulumi_aws.Provider("own", region="us-east-1")
        parent = pulumi.ComponentResource("x:y:Z", "parent", opts=pulumi.ResourceOptions(providers=[own]))
        for opts in (
            pulumi.ResourceOptions(provider=own),
            pulumi.ResourceOptions(providers=[own]),
            pulumi.ResourceOptions(providers={"aws": own}),
            pulumi.ResourceOptions(parent=parent),
        ):
            results.append((find_provider(opts) is own, find_placement(find_provider(opts))))
        results.append(
            (find_provider(None), find_provider(pulumi.ResourceOptions(parent=pulumi.runtime.get_root_resource())))
        )

    run(program)

    assert results == [(True, Placement())] * 4 + [(None, None)]


def test_a_component_rejects_an_endpoint_in_another_region_before_creating_resources(run):
    made = []

    def program():
        with pytest.raises(InvalidSettings, match="in the stack's Region, eu-west-1"):
            RotationGuard("guard", {"subscriptions": [subscribe("sqs", region="us-east-1")]})
        made.append(True)

    recording = run(program, config={"aws:region": "eu-west-1"})

    assert made
    assert recording.resources == []


def test_the_configuration_of_a_stack_is_checked_against_its_region(run):
    config = {
        "aws:region": "eu-west-1",
        "rotation-guard:subscriptions": json.dumps([subscribe("sqs", region="us-east-1")]),
    }

    with pytest.raises(InvalidSettings, match="in the stack's Region, eu-west-1"):
        run(lambda: configuration.read(pulumi.Config("rotation-guard")), config=config)


@pytest.mark.parametrize("is_output", [False, True])
@pytest.mark.parametrize("location", [{"account": "444455556666"}, {"region": "eu-central-1"}])
def test_an_endpoint_elsewhere_found_during_deployment_fails_it_before_sns_is_called(deploy, run, is_output, location):
    def program():
        entry = subscribe("lambda", **location)
        if is_output:
            entry["endpoint"] = pulumi.Output.secret(entry["endpoint"])
            entry["name"] = "pager"
        Notifications("alerts", {"subscriptions": [entry]})

    with pytest.raises(pulumi.RunError) as refusal:
        run(program)

    [sentence] = str(refusal.value).splitlines()
    assert "must be in the account and Region of its topic, 111122223333 and eu-west-1, " + OWNER in sentence
    assert "444455556666" not in sentence


def test_the_account_of_an_emulator_matches_every_account():
    topic = "arn:aws:sns:eu-west-1:000000000000:alerts"

    assert require_same_place(topic, endpoint("sqs"), "alerts-failures-sqs") == topic
    with pytest.raises(pulumi.RunError):
        require_same_place(topic, endpoint("sqs", region="us-east-1"), "alerts-failures-sqs")


def test_a_secret_endpoint_does_not_make_its_topic_secret(run):
    def program():
        entry: Any = {**subscribe("sqs"), "endpoint": pulumi.Output.secret(endpoint("sqs"))}
        Notifications("alerts", {"subscriptions": [entry]})

    [resource] = run(program).of_type(SUBSCRIPTION)

    assert resource.secret_inputs == {"endpoint"}
    assert resource.inputs["topic"] == "arn:aws:sns:eu-west-1:111122223333:alerts-failures-0a1b2c3"


@pytest.mark.parametrize("is_output", [False, True])
@pytest.mark.parametrize(
    ("qualified_name", "parts"),
    [
        ("function:pager:live", ("function:pager", "live")),
        ("function:pager:7", ("function:pager", "7")),
        ("function:pager", ("function:pager", None)),
    ],
)
def test_a_permission_has_function_and_alias_in_separate_fields(run, is_output, qualified_name, parts):
    """If passed as one ARN, both are read back separately and every update replaces the permission.

    (https://github.com/hashicorp/terraform-provider-aws/issues/38558)
    """
    prefix = "arn:aws:lambda:eu-west-1:111122223333:"

    def program():
        arn = prefix + qualified_name
        entry = subscription(protocol="lambda", endpoint=pulumi.Output.from_input(arn) if is_output else arn)
        Notifications("alerts", {"subscriptions": [entry]})

    recording = run(program)
    [permission], [resource] = recording.of_type(PERMISSION), recording.of_type(SUBSCRIPTION)

    function, alias = parts
    assert permission.inputs["function"] == prefix + function
    assert permission.inputs.get("qualifier") == alias
    assert resource.inputs["endpoint"] == prefix + qualified_name


def test_the_version_latest_which_accepts_no_permission_is_no_endpoint(run):
    """Lambda does not support adding policies to it (https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html)."""
    latest = "arn:aws:lambda:eu-west-1:111122223333:function:pager:$LATEST"

    def program():
        # What a function that publishes no version has for its `qualified_arn`.
        entry = subscription(protocol="lambda", endpoint=pulumi.Output.from_input(latest))
        Notifications("alerts", {"subscriptions": [entry]})

    [complaint] = complaints_about({"subscriptions": [subscription(protocol="lambda", endpoint=latest)]})
    with pytest.raises(pulumi.RunError) as refusal:
        run(program)

    assert complaint == (
        "subscriptions[0].endpoint must be the ARN of a Lambda function, or of an alias or a version of one but "
        f'$LATEST, for protocol lambda, got "{latest}"'
    )
    assert str(refusal.value) == (
        "the endpoint of alerts-failures-lambda must be a function, or an alias or a version of one but $LATEST, to "
        "which Lambda admits nobody, got $LATEST"
    )
