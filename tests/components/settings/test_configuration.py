"""A stack's configuration, strings as the engine passes them, becomes settings or one error message."""

import contextvars
import json
import re
import runpy
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from components.settings import configuration
from components.settings.declarations import SETTINGS
from components.settings.validation import InvalidSettings
from tests.paths import ROOT

KEYS = {setting.key: setting.name for setting in SETTINGS.values()}
KINDS = {setting.key: setting.config_type for setting in SETTINGS.values()}
NUMBERS, LISTS, MAPS, BOOLEANS = (
    [key for key in KEYS if KINDS[key] == kind] for kind in ("integer", "array", "object", "boolean")
)
ARNS = ["probeFunctions", "rotationFunctions", "restartTargets", "restartRoleArns"]
EMAIL = {"topic": "failures", "protocol": "email", "endpoint": "team@example.com"}
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"
LAYER_ARN = "arn:aws:lambda:eu-west-1:111122223333:layer:powertools:7"

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:111122223333:function:probe"


@pytest.fixture
def read():
    """The settings read from this configuration: `read(maxAgeDays="30")`. Values that are not strings become JSON."""

    def read_config(secret=(), **config):
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
        set_all_config(
            {f"rotation-guard:{key}": text for key, text in texts.items()}, [f"rotation-guard:{key}" for key in secret]
        )
        return configuration.read(pulumi.Config("rotation-guard"))

    # In a separate context, because Pulumi stores its configuration there: the next test starts with none.
    return lambda **config: contextvars.copy_context().run(read_config, **config)


@pytest.fixture
def complaints_of(read):
    """The complaints about this config."""

    def complaints(**config):
        with pytest.raises(InvalidSettings) as refusal:
            read(**config)
        return refusal.value.complaints

    return complaints


def test_each_setting_is_read_by_its_type():
    assert len(NUMBERS) > 10
    assert ["maxAgeClasses", "subscriptions", *ARNS, "extraRules"] == LISTS
    assert MAPS == ["managedTag", "remediationScope", "changeWindow", "tags"]
    assert BOOLEANS == ["publishStatus", "deletionProtection", "securityHub", "createTrail", "demo", "drill"]


def test_without_config_everything_is_absent(read):
    assert read() == {}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_left_empty_is_absent(read, key):
    assert read(**{key: ""}) == {}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("scheduleExpression", "rate(2 hours)", "rate(2 hours)"),
        ("scheduleTimezone", "Europe/Berlin", "Europe/Berlin"),
        ("scheduleFlexibleMinutes", "0", 0),
        ("maxAgeDays", "0", 0),
        ("maxAgeDays", "90", 90),
        ("maxAgeClasses", "[]", []),
        ("warnDays", "0", 0),
        ("stuckHours", "1", 1),
        ("maxOverdue", "0", 0),
        ("history", "changes", "changes"),
        ("managedTag", '{"key": "audit", "value": "yes"}', {"key": "audit", "value": "yes"}),
        ("subscriptions", "[]", []),
        ("queueRetentionDays", "3", 3),
        ("deadLetterRetentionDays", "7", 7),
        ("historyDays", "0", 0),
        ("logRetentionDays", "1", 1),
        ("remediationMode", "repair", "repair"),
        ("remediationScope", '{"name": "dev/*"}', {"name": "dev/*"}),
        ("settleMinutes", "0", 0),
        ("maxRetries", "0", 0),
        ("maxActionsPerHour", "0", 0),
        ("changeWindow", "{}", {}),
        ("changeWindow", '{"start": "22:00", "end": "04:00"}', {"start": "22:00", "end": "04:00"}),
        ("probeFunctions", "[]", []),
        ("restartTargets", f'["{FUNCTION_ARN}"]', [FUNCTION_ARN]),
        ("runbookUrl", "https://example.com/", "https://example.com/"),
        ("extraRules", "[]", []),
        ("powertoolsLayerArn", LAYER_ARN, LAYER_ARN),
        ("kmsKeyArn", KEY_ARN, KEY_ARN),
        ("tags", "{}", {}),
        ("tags", '{"team": "platform"}', {"team": "platform"}),
        ("demo", "false", False),
        ("demo", "true", True),
        ("drill", "false", False),
    ],
)
def test_zero_false_and_empty_are_different_values(read, key, text, value):
    [(name, setting)] = read(**{key: text}).items()

    assert name == KEYS[key]
    assert setting == value
    assert type(setting) is type(value)


def test_names_inside_lists_are_converted_from_camel_case_but_not_inside_patterns(read):
    policy, pattern = {"rawMessageDelivery": ["x"]}, {"detail": {"eventPattern": ["x"], "filterPolicy": ["y"]}}
    inbox = {"topic": "critical", "protocol": "sqs", "endpoint": "arn:aws:sqs:eu-west-1:111122223333:inbox"}

    settings = read(
        subscriptions=[EMAIL, {**inbox, "rawMessageDelivery": True, "filterPolicy": policy}],
        extraRules=[{"name": "x", "eventPattern": pattern, "to": "both"}],
    )

    assert settings == {
        "subscriptions": [EMAIL, {**inbox, "raw_message_delivery": True, "filter_policy": policy}],
        "extra_rules": [{"name": "x", "event_pattern": pattern, "to": "both"}],
    }


def test_a_class_is_read_as_written_with_its_nested_tag(read):
    classes = [{"days": 7, "name": "prod/*", "tag": {"key": "tierName", "value": "gold"}}, {"days": 0, "name": "*"}]

    assert read(maxAgeClasses=classes) == {"max_age_classes": classes}


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_has_only_digits(complaints_of, key):
    for text in ("x", "1.0", "1e1", "+1", " 1", "1\n", "0x1", "\u0661", "true", "[]", "9" * 5000, "-"):
        [complaint] = complaints_of(**{key: text})

        assert complaint.startswith(f"{key} must be an integer, got ")
        assert complaint.isprintable()


@pytest.mark.parametrize("key", NUMBERS)
def test_a_negative_number_is_rejected_as_out_of_range(complaints_of, key):
    [complaint] = complaints_of(**{key: "-1"})

    assert re.match(rf"{key} must be .*, got -1$", complaint)


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize("text", ["True", "FALSE", "yes", "1", "0", " true", "null", "[]"])
def test_a_boolean_is_true_or_false(complaints_of, key, text):
    assert complaints_of(**{key: text}) == [f"{key} must be true or false, got {json.dumps(text)}"]


@pytest.mark.parametrize("key", LISTS + MAPS)
@pytest.mark.parametrize(
    "text",
    ["x", "{", "1", "null", "true", '"x"', "[NaN]", "[" * 100_000, "[" + "9" * 5000 + "]", '{"a": Infinity}', "'"],
)
def test_a_list_or_map_that_cannot_be_parsed_is_rejected(complaints_of, key, text):
    [complaint] = complaints_of(**{key: text})

    assert complaint.startswith(f"{key} must be a {'list' if key in LISTS else 'map'}, got ")
    assert len(complaint) < 200


@pytest.mark.parametrize(("key", "text"), [(key, "{}") for key in LISTS] + [(key, "[]") for key in MAPS])
def test_a_list_is_not_accepted_as_a_map_nor_a_map_as_a_list(complaints_of, key, text):
    [complaint] = complaints_of(**{key: text})

    assert complaint == f"{key} must be a {'list' if key in LISTS else 'map'}, got {json.dumps(text)}"


@pytest.mark.parametrize(
    "entries",
    [[None], [1], [[]], ["x"], [{}], [{"topic": None}], [{"name": None, "eventPattern": None, "to": []}], [[[[]]]]],
)
@pytest.mark.parametrize("key", LISTS)
def test_an_invalid_entry_is_rejected_by_its_index(complaints_of, key, entries):
    complaints = complaints_of(**{key: entries})

    assert complaints
    assert all(complaint.startswith(f"{key}[0]") for complaint in complaints)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"subscriptions": [{**EMAIL, "rawMessageDelivery": "x"}]}, "subscriptions[0].rawMessageDelivery must be "),
        ({"subscriptions": [{**EMAIL, "filterPolicy": {}}]}, "subscriptions[0].filterPolicy must be "),
        ({"subscriptions": [EMAIL, {"topic": "failures"}]}, "subscriptions[1] must have protocol; it takes topic, "),
        ({"subscriptions": [{**EMAIL, "rawDelivery": True}]}, "subscriptions[0] must not have rawDelivery; it takes "),
        ({"extraRules": [{"name": "x", "eventPattern": {}, "to": "both"}]}, "extraRules[0].eventPattern must be "),
        (
            {"maxAgeClasses": [{"days": "7", "name": "x"}]},
            "maxAgeClasses[0].days must be an integer from 0 to 3650",
        ),
        ({"maxAgeClasses": [{"days": 7, "tag": "x"}]}, "maxAgeClasses[0].tag must be a key, and optionally a value"),
        ({"maxAgeClasses": [{"days": 7, "name": "*"}] * 2}, "maxAgeClasses[1] must be a class that a secret can get"),
        ({"stuckHours": 0}, "stuckHours must be an integer from 1 to 8760"),
        ({"restartTargets": [FUNCTION_ARN, "x"]}, "restartTargets[1] must be the ARN of an ECS service"),
        ({"changeWindow": {"start": "22:00"}}, "changeWindow must have end; it takes days (optional), start, end"),
        ({"changeWindow": {"start": "22:00", "end": 240}}, "changeWindow.end must be a time of day in UTC"),
        ({"deadLetterRetentionDays": 1}, "deadLetterRetentionDays must be at least queueRetentionDays, 7,"),
        ({"tags": {"a": 1}}, "tags.a must be a tag whose value is text (in quotes)"),
        ({"managedTag": {"key": "a", "value": True}}, "managedTag must be a tag whose value is text (in quotes)"),
    ],
)
def test_errors_spell_names_as_the_configuration_does(complaints_of, config, expected):
    [complaint] = [
        complaint
        for complaint in complaints_of(**config)
        if "deadLetter" in complaint or not complaint.startswith("deadLetter")
    ][:1]

    assert complaint.startswith(expected)
    assert "_" not in complaint.partition(", got ")[0].replace("_.:/=+-@", "")


def test_an_undeclared_key_is_rejected_with_a_suggestion(complaints_of):
    assert complaints_of(maxAgeDay="3") == ["maxAgeDay is not a setting; did you mean maxAgeDays?"]
    assert complaints_of(max_age_days="3") == ["max_age_days is not a setting; did you mean maxAgeDays?"]
    [complaint] = complaints_of(colour="red")
    assert complaint == f"colour is not a setting; there are {', '.join(sorted(KEYS))}"


def test_keys_of_other_namespaces_are_ignored(run):
    settings = {}

    run(lambda: settings.update(configuration.read(pulumi.Config())), config={"aws:region": "eu-west-1", "x:y": "z"})

    assert settings == {}


def test_all_errors_are_in_one_message(complaints_of):
    wrong = {
        **dict.fromkeys(NUMBERS, "x"),
        **dict.fromkeys(BOOLEANS, "maybe"),
        **dict.fromkeys(LISTS, "[null]"),
        **dict.fromkeys(MAPS, "[]"),
        "scheduleExpression": "rate(0 hours)",
        "canarySchedule": "rate(0 hours)",
        "scheduleTimezone": "Mars/Olympus",
        "reportSchedule": "daily",
        "remediationMode": "off",
        "history": "never",
        "runbookUrl": "docs/runbook.md",
        "powertoolsLayerArn": "x",
        "kmsKeyArn": "alias/aws/sqs",
        "nobody": "x",
    }

    names = [complaint.split()[0].partition("[")[0] for complaint in complaints_of(**wrong)]

    assert sorted(names) == sorted([*KEYS, "nobody"])


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *((key, SECRET) for key in KEYS),
        ("scheduleExpression", f"cron(0 {SECRET}, got {SECRET} * * ? *)"),
        ("kmsKeyArn", f"x, got {SECRET}"),
        ("managedTag", json.dumps({"key": "a", "value": f"{SECRET}, got *"})),
        ("tags", json.dumps({"a": f"{SECRET}, got *"})),
        ("subscriptions", json.dumps([{**EMAIL, "endpoint": f"{SECRET}, got {SECRET}"}])),
        ("subscriptions", json.dumps([{**EMAIL, "endpoint": [SECRET]}])),
        ("subscriptions", json.dumps([{**EMAIL, "topic": f"{SECRET}, got x"}])),
        ("subscriptions", json.dumps([{"topic": SECRET}])),
        ("subscriptions", json.dumps([{**EMAIL, "more": f"x, got {SECRET}"}])),
        ("subscriptions", json.dumps([{**EMAIL, "endpoint": f"{SECRET}@example.com"}] * 2)),
        ("subscriptions", json.dumps([{**EMAIL, "filterPolicy": {"a": SECRET}}])),
        ("extraRules", json.dumps([{"name": "x", "to": SECRET, "eventPattern": {"a": SECRET}}])),
        ("maxAgeClasses", json.dumps([{"days": SECRET, "name": f"{SECRET} "}])),
        ("maxAgeClasses", json.dumps([{"days": 1, "name": SECRET}] * 2)),
        ("maxAgeClasses", json.dumps([{"days": 1, "tag": {"key": f"{SECRET}, got *"}}])),
        ("maxAgeClasses", json.dumps([{"days": 1, "name": SECRET + str(number)} for number in range(100)])),
        ("probeFunctions", json.dumps([FUNCTION_ARN, f"{SECRET}, got {SECRET}"])),
        ("restartRoleArns", json.dumps([f"arn:aws:iam::111122223333:role/{SECRET}"] * 2)),
        ("changeWindow", json.dumps({"start": SECRET, "end": SECRET})),
        ("runbookUrl", f"http://{SECRET}, got {SECRET}"),
        ("subscriptions", json.dumps([SECRET])),
        ("subscriptions", f"[{SECRET}"),
    ],
)
def test_a_secret_value_is_rejected_without_repeating_it(complaints_of, key, text):
    complaints = complaints_of(secret=[key], **{key: text})

    assert complaints
    for complaint in complaints:
        assert complaint.startswith(key)
        assert SECRET not in complaint
        assert complaint.endswith(", got a secret value")


def test_a_secret_tag_is_not_repeated_in_an_error_about_a_class(complaints_of):
    tag, classes = {"key": "audit", "value": SECRET}, [{"days": 1, "tag": {"key": "audit", "value": "no"}}]

    assert complaints_of(secret=["managedTag"], managedTag=tag, maxAgeClasses=classes) == [
        "maxAgeClasses[0] must be a class that a secret can get into, got a secret value"
    ]


@pytest.mark.parametrize("secret", [["queueRetentionDays"], ["deadLetterRetentionDays"]])
def test_a_secret_number_is_not_repeated_in_an_error_about_another(complaints_of, secret):
    [complaint] = complaints_of(secret=secret, queueRetentionDays="13", deadLetterRetentionDays="12")

    shown = {"queueRetentionDays": "13", "deadLetterRetentionDays": "12"}
    for key, value in shown.items():
        assert (value in complaint) is (key not in secret)


def test_secret_endpoints_and_arns_stay_secret(run):
    read_settings = {}

    def program():
        settings = configuration.read(pulumi.Config())
        pulumi.export("key", settings["kms_key_arn"])
        pulumi.export("endpoint", settings["subscriptions"][0]["endpoint"])
        for name, value in (("key", settings["kms_key_arn"]), ("endpoint", settings["subscriptions"][0]["endpoint"])):
            pulumi.export(f"{name} is secret", pulumi.Output.from_input(value).is_secret())
        read_settings.update(settings)

    config = {"rotation-guard:subscriptions": json.dumps([EMAIL]), "rotation-guard:kmsKeyArn": KEY_ARN}
    outputs = run(program, config=config, secret_keys=tuple(config)).outputs

    assert outputs == {
        "key": KEY_ARN,
        "key is secret": True,
        "endpoint": "team@example.com",
        "endpoint is secret": True,
    }
    assert read_settings["subscriptions"][0]["topic"] == "failures"


@pytest.mark.parametrize("key", ARNS)
def test_arns_in_a_secret_list_stay_secret(run, key):
    arn = FUNCTION_ARN if key != "restartRoleArns" else "arn:aws:iam::111122223333:role/automation"

    def program():
        settings: dict[str, Any] = {**configuration.read(pulumi.Config())}
        [output] = settings[KEYS[key]]
        pulumi.export("arn", output)
        pulumi.export("secret", output.is_secret())

    config = {f"rotation-guard:{key}": json.dumps([arn])}
    assert run(program, config=config, secret_keys=tuple(config)).outputs == {"arn": arn, "secret": True}


def test_the_program_rejects_invalid_configuration_before_creating_resources(run):
    program = ROOT / "__main__.py"
    messages = []

    def check_program():
        with pytest.raises(InvalidSettings) as refusal:
            runpy.run_path(str(program), run_name="__main__")
        messages.append(str(refusal.value))

    config = {"rotation-guard:maxAgeDays": "-1", "rotation-guard:demo": "maybe"}
    assert run(check_program, config=config).resources == []
    assert messages == [
        "rotation-guard has 2 settings that cannot be deployed:\n"
        '  demo must be true or false, got "maybe"\n'
        "  maxAgeDays must be an integer from 0 to 3650, got -1"
    ]
