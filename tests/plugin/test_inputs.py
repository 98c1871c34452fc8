"""Inputs as programs in other languages send them: what arrives at a component, and what is refused."""

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from pulumi.errors import InputPropertiesError
from pulumi.runtime import rpc

from components.provider.host import COMPONENTS
from components.rotation_guard import RotationGuard
from local.mocks import recording
from tests.components.samples.everything import EVERYTHING, KEY

UNKNOWN = rpc.deserialize_property(rpc.UNKNOWN, keep_unknowns=True)
"""What an input is that is not known at a preview, where the engine sends no Output."""
EMAIL = {"topic": "critical", "protocol": "email", "endpoint": "on-call@example.com"}
SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/shop/web"
HOSTILE: tuple[Callable[[], Any], ...] = (
    lambda: "x",
    lambda: [[None]],
    lambda: {"a": {"b": [{}]}},
    lambda: pulumi.Output.secret("x"),
    lambda: pulumi.Output.from_input({"a": 1}),
)
"""Values that hardly any input takes, some of which show only once an Output is known."""
Construct = Callable[..., recording.Recording]


def as_sent(value: Any) -> Any:
    """A value as the wire has it: every number is a double, and every name in camel case."""
    if isinstance(value, Mapping):
        return {key: as_sent(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_sent(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.fixture
def construct(provider) -> Construct:
    """Creates a component as the engine asks for it: `construct("RotationGuard", {inputs})`.

    Inputs with Outputs are made by a function.
    """

    def construct(component: str, inputs: Any, name: str = "guard") -> recording.Recording:
        def program() -> None:
            given = inputs() if callable(inputs) else inputs
            state = provider.construct(name, f"rotation-guard:index:{component}", as_sent(given)).state
            for output, value in state.items():
                pulumi.export(output, value)

        return recording.run(program, config={"aws:region": "eu-west-1"})

    return construct


@pytest.fixture
def refusal(construct) -> Callable[..., dict[str, str]]:
    """Why a component is refused: a sentence for each property."""

    def refusal(*args: Any, **options: Any) -> dict[str, str]:
        with pytest.raises(InputPropertiesError) as refused:
            construct(*args, **options)
        return {error["property_path"]: error["reason"] for error in refused.value.errors or []}

    return refusal


def test_a_component_gets_the_same_resources_from_another_language(construct, schema):
    names = {name: key for key, name in list_names(schema).items()}

    def in_schema_names(value: Any) -> Any:
        if isinstance(value, list):
            return [in_schema_names(inner) for inner in value]
        return {names.get(k, k): v for k, v in value.items()} if isinstance(value, dict) else value

    sent = {names[name]: in_schema_names(value) for name, value in EVERYTHING.items()}

    def in_python() -> None:
        RotationGuard("guard", EVERYTHING)  # ty: ignore[invalid-argument-type]

    assert len(sent) > 30
    expected = recording.run(in_python, config={"aws:region": "eu-west-1"}).shape()
    assert parse_texts(construct("RotationGuard", sent).shape()) == parse_texts(expected)


def parse_texts(value: Any) -> Any:
    """A value with each text in JSON as what it says: the order of its keys is no difference."""
    if isinstance(value, Mapping):
        return {key: parse_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [parse_texts(inner) for inner in value]
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def list_names(schema: Mapping[str, Any]) -> dict[str, str]:
    """Each name of an input or a property in the schema, as Python spells it."""
    parts = [resource["inputProperties"] for resource in schema["resources"].values()]
    parts += [type_["properties"] for type_ in schema["types"].values()]
    return {
        name: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        for part in parts
        for name in part
    }


def test_no_input_at_all_deploys_the_defaults(construct):
    outputs = construct("RotationGuard", {}).outputs

    assert outputs["scheduleExpression"] == "rate(1 hour)"
    assert "undeliveredNoticesDeadLettersUrl" not in outputs
    assert outputs["demoSecretNames"] == {}


def test_an_output_arrives_where_a_value_may_be_known_later(construct):
    def inputs() -> dict[str, Any]:
        return {
            "kmsKeyArn": pulumi.Output.secret(KEY),
            "restartTargets": [pulumi.Output.from_input(SERVICE)],
            "subscriptions": [
                {
                    **EMAIL,
                    "endpoint": pulumi.Output.secret("on-call@example.com"),
                    "name": "on-call",
                    "filterPolicy": pulumi.Output.from_input(
                        {"severity": ["critical"], "n": [{"numeric": [">", 5.0]}]}
                    ),
                }
            ],
        }

    recorded = construct("RotationGuard", inputs)

    assert recorded.named("aws:sns/topic:Topic", "guard-failures").inputs["kmsMasterKeyId"] == KEY
    subscription = recorded.named("aws:sns/topicSubscription:TopicSubscription", "guard-critical-email-on-call")
    assert subscription.inputs["endpoint"] == "on-call@example.com"
    assert "endpoint" in subscription.secret_inputs
    assert '"numeric": [">", 5]' in subscription.inputs["filterPolicy"]


def test_whole_numbers_of_an_event_pattern_stay_whole(construct):
    pattern = {"source": ["shop"], "detail": {"attempts": [{"numeric": [">", 5]}]}}

    recorded = construct("RotationGuard", {"extraRules": [{"name": "shop", "eventPattern": pattern, "to": "audit"}]})

    rule = recorded.named("aws:cloudwatch/eventRule:EventRule", "guard-events-extra-shop")
    assert json.loads(rule.inputs["eventPattern"]) == pattern
    assert "5.0" not in rule.inputs["eventPattern"]


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"maxAgeDay": 7}, "maxAgeDay", "is not an input of RotationGuard; did you mean maxAgeDays?"),
        (
            {"missedHours": 7},
            "missedHours",
            "is no longer a setting: stuckHours now covers late rotations too; remove it",
        ),
        ({"maxAgeDays": "7"}, "maxAgeDays", 'must be an integer, got "7"'),
        ({"maxAgeDays": True}, "maxAgeDays", "must be an integer, got true"),
        ({"maxAgeDays": 7.5}, "maxAgeDays", "must be an integer, got 7.5"),
        ({"maxAgeDays": -1}, "maxAgeDays", "must be an integer from 0 to 3650, got -1"),
        ({"demo": "yes"}, "demo", 'must be true or false, got "yes"'),
        ({"history": 1}, "history", "must be text, got 1"),
        ({"tags": ["team"]}, "tags", 'must be a map, got ["team"]'),
        ({"tags": {"team": 7}}, "tags.team", "must be text, got 7"),
        ({"restartTargets": "arn"}, "restartTargets", 'must be a list, got "arn"'),
        ({"restartTargets": [None]}, "restartTargets[0]", "must be text, got null"),
        ({"managedTag": "Managed"}, "managedTag", 'must be a map of key, value, got "Managed"'),
        ({"managedTag": {"key": "Managed"}}, "managedTag.value", "must be given, got nothing"),
        (
            {"managedTag": {"key": "a", "value": "b", "valeu": "c"}},
            "managedTag.valeu",
            "is not a property of managedTag; did you mean value?",
        ),
        ({"subscriptions": [EMAIL, "x"]}, "subscriptions[1]", "must be a map of topic, protocol, endpoint, "),
        (
            {"subscriptions": [{**EMAIL, "endpoint": "nobody"}]},
            "subscriptions[0].endpoint",
            'must be an e-mail address for protocol email, got "nobody"',
        ),
        (
            {"queueRetentionDays": 10, "deadLetterRetentionDays": 9},
            "deadLetterRetentionDays",
            "must be at least queueRetentionDays, 10, because a message's age counts from its first queue, got 9",
        ),
    ],
)
def test_a_bad_input_is_refused_with_its_path(inputs, path, reason, refusal):
    errors = refusal("RotationGuard", inputs)

    assert list(errors) == [path]
    assert errors[path].startswith(reason)


@pytest.mark.parametrize(
    ("path", "kind", "inputs"),
    [
        ("maxAgeDays", "an integer", lambda value: {"maxAgeDays": value}),
        ("demo", "true or false", lambda value: {"demo": value}),
        ("tags", "a map", lambda value: {"tags": value}),
        ("tags.team", "text", lambda value: {"tags": {"team": value}}),
        ("managedTag", "a map of key, value", lambda value: {"managedTag": value}),
        ("restartTargets", "a list, whose entries may be Outputs,", lambda value: {"restartTargets": value}),
        ("subscriptions", "a list", lambda value: {"subscriptions": value}),
        ("subscriptions[0].topic", "text", lambda value: {"subscriptions": [{**EMAIL, "topic": value}]}),
    ],
)
@pytest.mark.parametrize("make", [lambda: pulumi.Output.secret("x"), lambda: UNKNOWN], ids=["secret", "unknown"])
def test_an_output_is_refused_where_a_plain_value_is_needed(make, path, kind, inputs, refusal):
    errors = refusal("RotationGuard", lambda: inputs(make()))

    assert errors == {path: f"must be {kind} that is known before the deployment and not secret, got an Output"}


@pytest.mark.parametrize(
    ("inputs", "path", "allowed"),
    [
        (lambda value: {"kmsKeyArn": value}, "kmsKeyArn", "must be the ARN of a KMS key, not of an alias, got an"),
        (lambda value: {"restartTargets": [SERVICE, value]}, "restartTargets[1]", "must be the ARN of an ECS service "),
    ],
)
def test_an_output_with_a_wrong_value_fails_once_it_is_known(inputs, path, allowed, construct):
    with pytest.raises(pulumi.InputPropertyError) as refused:
        construct("RotationGuard", lambda: inputs(pulumi.Output.secret("hidden")))

    assert refused.value.property_path == path
    assert refused.value.reason.startswith(allowed)
    assert refused.value.reason.endswith(", got an Output with another value")
    assert "hidden" not in refused.value.reason


def test_an_output_in_an_event_pattern_is_refused(refusal):
    rule = {"name": "shop", "to": "audit"}

    errors = refusal(
        "RotationGuard", lambda: {"extraRules": [{**rule, "eventPattern": {"source": [pulumi.Output.secret("x")]}}]}
    )

    assert list(errors) == ["extraRules[0].eventPattern.source"]


def test_everything_that_is_wrong_is_said_at_once(refusal):
    errors = refusal("RotationGuard", {"maxAgeDays": "7", "warnDay": 3, "stuckHours": 0, "managedTag": {"key": "a"}})

    assert set(errors) == {"maxAgeDays", "warnDay", "stuckHours", "managedTag.value"}


def test_a_name_that_is_too_long_is_no_ones_input(construct):
    with pytest.raises(InputPropertiesError) as refused:
        construct("RotationGuard", {}, name="a" * 41)

    assert refused.value.message.startswith("the component's name must be at most ")
    assert refused.value.errors == []


@pytest.mark.parametrize("component", ["ManagementTrail", "Remediation", "Observability"])
def test_what_a_component_needs_must_be_given(component, refusal, schema):
    required = schema["resources"][f"rotation-guard:index:{component}"]["requiredInputs"]

    assert required
    assert refusal(component, {}) == dict.fromkeys(required, "must be given, got nothing")


def test_a_setting_of_a_single_component_is_checked(refusal):
    assert refusal("AuditTrail", {"historyDays": -1, "deadLetterRetentionDays": 15}) == {
        "historyDays": "must be an integer from 0 to 3650, got -1",
        "deadLetterRetentionDays": ("must be an integer from 1 to 14 (SQS keeps messages for at most 14 days), got 15"),
    }


@pytest.mark.parametrize(
    ("component", "inputs", "path", "reason"),
    [
        (
            "RotationGuard",
            {"existing": {"failuresTopicArn": "topic"}},
            "existing.failuresTopicArn",
            'must be the ARN of a standard SNS topic, got "topic"',
        ),
        (
            "Notifications",
            {"failuresTopicArn": "failures_topic_arn"},
            "failuresTopicArn",
            'must be the ARN of a standard SNS topic, got "failures_topic_arn"',
        ),
        (
            "AuditTrail",
            {"queueArn": "arn:aws:sqs:eu-west-1:111122223333:inbox"},
            "queueArn",
            "queueArn and queueUrl must be given together, got queueArn alone",
        ),
        (
            "AuditTrail",
            {"queueRetentionDays": 10, "deadLetterRetentionDays": 9},
            "deadLetterRetentionDays",
            "must be at least queueRetentionDays, 10, because a message's age counts from its first queue, got 9",
        ),
    ],
)
def test_what_a_component_refuses_itself_is_said_in_the_names_of_the_schema(component, inputs, path, reason, refusal):
    assert refusal(component, inputs) == {path: reason}


def test_a_component_is_not_held_to_the_default_of_a_setting_that_it_does_not_have(construct):
    topic = "arn:aws:sns:eu-west-1:111122223333:failures"

    recorded = construct("RotationEvents", {"failuresTopicArn": topic, "deadLetterRetentionDays": 3})

    assert recorded.of_type("aws:cloudwatch/eventRule:EventRule")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.__name__)
def test_no_value_of_any_input_ends_in_a_traceback(component, construct, schema):
    resource = schema["resources"][f"rotation-guard:index:{component.__name__}"]
    required = dict.fromkeys(resource["requiredInputs"], "arn:aws:sns:eu-west-1:111122223333:topic")
    tracebacks = []

    for name, make in itertools.product(resource["inputProperties"], HOSTILE):
        try:
            construct(component.__name__, lambda name=name, make=make: {**required, name: make()})
        except (InputPropertiesError, pulumi.InputPropertyError, pulumi.RunError):
            continue
        except Exception as error:  # noqa: BLE001 - a user would see its traceback
            tracebacks.append((name, repr(error)))

    assert tracebacks == []


def test_a_component_that_does_not_exist_is_refused(construct):
    with pytest.raises(InputPropertiesError, match="rotation-guard:index:RotationGard must be one of RotationGuard, "):
        construct("RotationGard", {})
