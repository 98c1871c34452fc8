"""Bad settings are refused, all of them in one message, before anything is made."""

import datetime
import re

import pulumi
import pytest

from components.endpoints import PROTOCOLS
from components.rotation_guard import RotationGuardArgs
from components.validation import InvalidSettings, complaints_about, refuse_invalid

ACCOUNT = "eu-west-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/sns-to-firehose"
LOOP: dict = {}
LOOP["again"] = LOOP
DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]
ARABIC_7, ARABIC_12 = "\u0667", "\u0661" * 12
JUNK = [
    None,
    True,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    "",
    "x\ny",
    b"bytes",
    [],
    [None],
    [[]],
    [[1], "x"],
    (),
    {},
    {"": None},
    {1: 2},
    {None: None},
    {("a", "b"): "c"},
    {"key": None, "value": []},
    [{"topic": [], "protocol": {}, "endpoint": None}],
    [{"name": [], "event_pattern": [], "to": {}}],
    {1, 2},
    object(),
    datetime.date(2026, 3, 1),
    LOOP,
    DEEP,
    [DEEP],
    {"x": DEEP},
    [{"topic": DEEP, "protocol": LOOP, "endpoint": DEEP}],
    [{"name": "x", "to": "both", "event_pattern": {"detail": DEEP}}],
]


def subscription(**changes):
    return {"topic": "failures", "protocol": "email", "endpoint": "team@example.com", **changes}


def without(mapping, *names):
    return {name: value for name, value in mapping.items() if name not in names}


def rule(**changes):
    return {"name": "instances", "event_pattern": {"source": ["aws.ec2"]}, "to": "both", **changes}


def age_class(**changes):
    return {"days": 30, "name": "prod/*", **changes}


def sqs(name="inbox"):
    return f"arn:aws:sqs:{ACCOUNT}:{name}"


GOOD = [
    ("schedule_expression", ["rate(1 hour)", "rate(2 hours)", "cron(0 6 ? * MON *)"]),
    ("schedule_timezone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]),
    ("schedule_flexible_minutes", [0, 1, 1440]),
    ("max_age_days", [0, 1, 30, 3650]),
    (
        "max_age_classes",
        [
            [],
            [age_class()],
            [age_class(days=0), age_class(days=3650, name="*")],
            [age_class(tag={"key": "tier"})],
            [{"days": 1, "tag": {"key": "tier", "value": ""}}, {"days": 1, "tag": {"key": "tier", "value": "gold"}}],
            [{"days": 1, "tag": {"key": "Managed"}}],
            [age_class(name="a?"), age_class(name="a*"), age_class(name="[b-d]?!_+=.@-")],
            [age_class(name="rds!*"), age_class(name="x" * 512)],
            [age_class(name=None, tag={"key": "tier", "value": None}), age_class(tag=None)],
            [age_class(name=f"team-{number}/*") for number in range(50)],
        ],
    ),
    ("warn_days", [0, 1, 7, 3650]),
    ("stuck_hours", [1, 24, 8760]),
    ("missed_hours", [1, 24, 8760]),
    ("managed_tag", [{"key": "Managed", "value": "true"}, {"key": "Überwacht", "value": ""}]),
    (
        "subscriptions",
        [
            [],
            [subscription()],
            [subscription(), subscription(topic="critical"), subscription(endpoint="other@example.com")],
            [subscription(protocol="email-json")],
            [subscription(protocol="sms", endpoint="+4915112345678")],
            [subscription(protocol="https", endpoint="https://user:secret@example.com:8443/hook?x=1#y")],
            [subscription(protocol="http", endpoint="http://[2001:db8::1]:80/")],
            [subscription(protocol="sqs", endpoint=sqs(), raw_message_delivery=True)],
            [subscription(protocol="sqs", endpoint="arn:aws-us-gov:sqs:us-gov-west-1:111122223333:inbox")],
            [subscription(raw_message_delivery=False)],
            [subscription(filter_policy={"detail": {"eventName": ["RotationFailed", {"prefix": "Rot"}]}})],
            [subscription(protocol="lambda", endpoint=f"arn:aws:lambda:{ACCOUNT}:function:pager:live")],
            [subscription(protocol="application", endpoint=f"arn:aws:sns:{ACCOUNT}:endpoint/GCM/app/5e3e")],
            [
                subscription(
                    protocol="firehose",
                    endpoint=f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
                    subscription_role_arn=ROLE,
                )
            ],
        ],
    ),
    ("queue_retention_days", [1, 7, 14]),
    ("dead_letter_retention_days", [7, 14]),
    ("history", ["everyRun", "changes"]),
    ("history_days", [0, 400, 3650]),
    ("deletion_protection", [True, False]),
    ("log_retention_days", [1, 90, 3653]),
    ("remediation_mode", ["notify", "retry", "repair"]),
    (
        "extra_rules",
        [
            [],
            [rule()],
            [rule(), rule(name="Failover_2.x-y", to="audit"), rule(name="z", to="failures")],
            [rule(event_pattern={"detail": {"state": [{"anything-but": ["running"]}], "code": [1, True, None]}})],
            [rule(event_pattern={"$or": [{"source": ["a"]}, {"detail-type": ["b"]}]})],
        ],
    ),
    ("powertools_layer_arn", [f"arn:aws:lambda:{ACCOUNT}:layer:powertools:7"]),
    ("kms_key_arn", [f"arn:aws:kms:{ACCOUNT}:key/7d0e-11", f"arn:aws-cn:kms:{ACCOUNT}:key/mrk-1"]),
    ("tags", [{}, {"team": "Plattform & Co".replace("&", "+")}, {"a:b": "c/d=e@f"}, {str(n): "x" for n in range(45)}]),
    ("demo", [True, False]),
    ("drill", [True, False]),
]
FAR_TOO_DEEP = {"detail": {"state": DEEP}}
NUMBERS = [-1, 1.0, 2.5, "1", None, True, [], {}, 10**30, float("nan"), ARABIC_7]
BAD = [
    (
        "schedule_expression",
        "as EventBridge Scheduler takes it",
        ["rate(0 hours)", "rate(1 hours)", "rate(10 seconds)", "cron(0 6 * * * *)", "", None, 5, ["rate(1 hour)"]],
    ),
    ("schedule_timezone", "an IANA time zone", ["", "Mars/Olympus", "utc ", "../UTC", None, 1, ["UTC"], {}]),
    ("schedule_flexible_minutes", "a whole number from 0 to 1440", [*NUMBERS, 1441]),
    ("max_age_days", "a whole number from 0 to 3650", [*NUMBERS, 3651]),
    ("max_age_classes", "a list", [None, "x", 1, {}, age_class()]),
    ("max_age_classes", "a map of days, name (optional), tag (optional)", [[None], ["prod/*"], [[]]]),
    ("max_age_classes", "have days", [[without(age_class(), "days")], [{}]]),
    ("max_age_classes", "not have nmae", [[age_class(nmae="x")]]),
    ("max_age_classes", "a whole number from 0 to 3650", [[age_class(days=x)] for x in (*NUMBERS, 3651)]),
    ("max_age_classes", "a class by name, by tag, or by both", [[{"days": 1}], [{"days": 1, "name": None}]]),
    (
        "max_age_classes",
        "a pattern of secret names",
        [[age_class(name=x)] for x in ("", "a b", "prod\\*", "a[b", "ü*", "x" * 513, "x\n", 1, True, ["x"], {})],
    ),
    (
        "max_age_classes",
        "a key, and optionally a value",
        [[age_class(tag=x)] for x in ("tier", {}, [], {"value": "x"}, {"key": "a", "vlaue": "x"}, {"key": 1, 2: 3})],
    ),
    ("max_age_classes", "a tag whose key is text", [[age_class(tag={"key": x})] for x in ("", "k" * 129, 1, None)]),
    (
        "max_age_classes",
        "a tag whose value is text",
        [[age_class(tag={"key": "k", "value": x})] for x in (True, 1, "v" * 257, "a*")],
    ),
    ("max_age_classes", "does not begin with aws:", [[age_class(tag={"key": "aws:x"})]]),
    (
        "max_age_classes",
        "a class that a secret can get into",
        [
            [age_class(), age_class(days=7)],
            [age_class(name="*"), age_class()],
            [{"days": 1, "tag": {"key": "tier"}}, {"days": 1, "tag": {"key": "tier", "value": "gold"}}],
            [{"days": 1, "tag": {"key": "Managed", "value": "false"}}],
            [{"days": 1, "tag": {"key": "Managed", "value": "true"}}, age_class()],
        ],
    ),
    (
        "max_age_classes",
        "at most 2048 characters as a function's environment holds them",
        [[age_class(name=f"team-{number}/*") for number in range(100)]],
    ),
    ("warn_days", "a whole number from 0 to 3650", [*NUMBERS, 3651]),
    ("stuck_hours", "a whole number from 1 to 8760", [*NUMBERS, 0, 8761]),
    ("missed_hours", "a whole number from 1 to 8760", [*NUMBERS, 0, 8761]),
    ("managed_tag", "a key and a value and nothing else", [None, "Managed", [], {}, {"key": "a"}, {"Key": 1}]),
    ("managed_tag", "a tag whose key is text", [{"key": "", "value": "x"}, {"key": "k" * 129, "value": "x"}]),
    ("managed_tag", "a tag whose value is text", [{"key": "k", "value": x} for x in (True, None, 1, "v" * 257, "\n")]),
    ("managed_tag", "does not begin with aws:", [{"key": "aws:x", "value": ""}, {"key": "AWS:x", "value": ""}]),
    ("subscriptions", "a list", [None, "x", 1, {}, {"topic": "failures"}]),
    ("subscriptions", "a map of topic, protocol, endpoint", [[None], ["team@example.com"], [[]]]),
    ("subscriptions", "have endpoint", [[without(subscription(), "endpoint")]]),
    ("subscriptions", "not have endpiont", [[subscription(endpiont="x")]]),
    (
        "subscriptions",
        "one of failures, remediation, critical",
        [[subscription(topic=x)] for x in (None, "", "Failures", ["failures"], {}, 1)],
    ),
    (
        "subscriptions",
        "one of http, https, email, email-json, sms, sqs, lambda, application, firehose",
        [[subscription(protocol=x)] for x in (None, "", "slack", "HTTPS", ["email"], {}, 1, True)],
    ),
    (
        "subscriptions",
        "an e-mail address for protocol email",
        [[subscription(endpoint=x)] for x in (None, "", "team", "a@b", "a b@example.com", "a@b@c.de", "ä@c.de", ["a"])]
        + [[subscription(endpoint="team@example.com\n")], [subscription(endpoint={"a": DEEP})]],
    ),
    (
        "subscriptions",
        "a URL that begins with https://",
        [
            [subscription(protocol="https", endpoint=x)]
            for x in ("http://example.com", "https://", "https://a b", "https://[::1", "https://x:99999", "https://x\n")
        ],
    ),
    (
        "subscriptions",
        "a phone number",
        [
            [subscription(protocol="sms", endpoint=x)]
            for x in ("015112345678", "+0151", "+1555", "+1" + ARABIC_7 * 9, 15551234567)
        ],
    ),
    (
        "subscriptions",
        "the ARN of a standard SQS queue",
        [
            [subscription(protocol="sqs", endpoint=x)]
            for x in (sqs("in.fifo"), sqs("ünbox"), sqs("x" * 81), f"arn:aws:sqs:eu-west-1:{ARABIC_12}:inbox", "inbox")
        ],
    ),
    ("subscriptions", "the ARN of a Lambda function", [[subscription(protocol="lambda", endpoint=sqs())]]),
    (
        "subscriptions",
        "true or false",
        [[subscription(protocol="sqs", endpoint=sqs(), raw_message_delivery=x)] for x in ("true", 1, [])],
    ),
    ("subscriptions", "left out but for sqs, http, https, firehose", [[subscription(raw_message_delivery=True)]]),
    (
        "subscriptions",
        "as SNS writes filter policies",
        [
            [subscription(filter_policy=x)]
            for x in ({}, [], "x", {"a": "b"}, {"a": {"b": 1}}, {"a": []}, {"a": {1, 2}}, FAR_TOO_DEEP, LOOP)
        ],
    ),
    ("subscriptions", "left out but for firehose", [[subscription(subscription_role_arn=ROLE)]]),
    (
        "subscriptions",
        "the ARN of the role that SNS assumes",
        [
            [
                subscription(
                    protocol="firehose",
                    endpoint=f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
                    **({} if x == "absent" else {"subscription_role_arn": x}),
                )
            ]
            for x in ("absent", None, "", "archive", 1, sqs(), [ROLE])
        ],
    ),
    ("subscriptions", "be there once", [[subscription(), subscription(filter_policy={"a": ["b"]})]]),
    ("queue_retention_days", "a whole number from 1 to 14", [*NUMBERS, 0, 15]),
    ("dead_letter_retention_days", "a whole number from 1 to 14", [*NUMBERS, 0, 15]),
    ("dead_letter_retention_days", "at least queue_retention_days, 7,", [1, 6]),
    ("history", "one of everyRun, changes", [None, "", "every_run", "Changes", 0, True, ["changes"], {}]),
    ("history_days", "a whole number from 0 to 3650", [*NUMBERS, 3651]),
    ("deletion_protection", "true or false", [None, 0, 1, "true", "", []]),
    ("log_retention_days", "one of 1, 3, 5, 7", [*NUMBERS[:1], *NUMBERS[2:], 0, 2, 91, 3650]),
    ("remediation_mode", "one of notify, retry, repair", [None, "", "Notify", "off", 0, ["notify"], {}]),
    ("extra_rules", "a list", [None, "x", {}]),
    ("extra_rules", "a map of name, event_pattern, to", [[None], ["x"], [[]]]),
    ("extra_rules", "have to", [[without(rule(), "to")]]),
    ("extra_rules", "not have state", [[rule(state="DISABLED")]]),
    (
        "extra_rules",
        "1 to 24 letters",
        [[rule(name=x)] for x in (None, "", "a b", "x" * 25, "ä", "x\n", 1, ["x"], "a/b")],
    ),
    ("extra_rules", "unique among the extra rules", [[rule(), rule(to="audit")]]),
    ("extra_rules", "one of failures, audit, both", [[rule(to=x)] for x in (None, "", "queue", ["audit"], {}, 1)]),
    (
        "extra_rules",
        "as EventBridge writes event patterns",
        [
            [rule(event_pattern=x)]
            for x in (
                None,
                {},
                [],
                '{"source": ["aws.ec2"]}',
                {"source": "aws.ec2"},
                {"source": []},
                {"detail": {}},
                {"detail": {"state": "x"}},
                {"detail": {"state": None}},
                {"source": [float("nan")]},
                {"source": [{1}]},
                {("a", "b"): ["c"]},
                FAR_TOO_DEEP,
                LOOP,
            )
        ],
    ),
    (
        "extra_rules",
        "at most 2048 characters",
        [[rule(event_pattern={"source": ["x" * 2049]})], [rule(event_pattern={"source": ["x" * 2030]})]],
    ),
    (
        "powertools_layer_arn",
        "the ARN of a version of a Lambda layer",
        [None, "", "powertools", 1, f"arn:aws:lambda:{ACCOUNT}:layer:powertools", [], sqs()],
    ),
    (
        "kms_key_arn",
        "the ARN of a KMS key",
        [
            None,
            "",
            "alias/aws/sns",
            f"arn:aws:kms:{ACCOUNT}:alias/mine",
            f"arn:aws:kms:eu-west-1:{ARABIC_12}:key/1",
            f"arn:aws:kms:{ACCOUNT}:key/1\n",
            {},
        ],
    ),
    ("tags", "a map of keys to values", [None, "x", [], 1, [["a", "b"]]]),
    ("tags", "at most 45 tags", [{str(n): "x" for n in range(46)}]),
    ("tags", "a tag whose key is text", [{1: "x"}, {"": "x"}, {"k" * 129: "x"}, {"a\nb": "x"}, {None: "x"}]),
    ("tags", "a tag whose value is text", [{"a": x} for x in (1, None, True, [], {}, "v" * 257, "a\tb", "a*b")]),
    ("tags", "does not begin with aws:", [{"aws:created-by": "me"}]),
    ("demo", "true or false", [None, 0, 1, "true", "", []]),
    ("drill", "true or false", [None, 0, 1, "false", {}]),
]


def each(table):
    return [
        pytest.param(setting, *allowed, value, id=f"{setting}-{'-'.join(allowed)[:20]}-{number}")
        for setting, *allowed, values in table
        for number, value in enumerate(values)
    ]


def test_every_setting_has_good_and_bad_values_here():
    settings = list(RotationGuardArgs.__annotations__)

    assert [setting for setting, _ in GOOD] == settings
    assert {setting for setting, _, _ in BAD} == set(settings)


@pytest.mark.parametrize(("setting", "value"), each(GOOD))
def test_a_good_value_is_taken(setting, value):
    assert complaints_about({setting: value}) == []


@pytest.mark.parametrize(("setting", "allowed", "value"), each(BAD))
def test_a_bad_value_is_refused_in_one_sentence_naming_setting_limit_and_value(setting, allowed, value):
    complaints = complaints_about({setting: value})

    assert [one for one in complaints if allowed in one], complaints
    for one in complaints:
        assert re.match(rf"{setting}(\[\d+\])?(\.\S+)? must ", one)
        assert ", got " in one
        assert one.isprintable()
        assert len(one) < 400


@pytest.mark.parametrize("setting", RotationGuardArgs.__annotations__)
@pytest.mark.parametrize("number", range(len(JUNK)))
def test_whatever_is_given_is_refused_or_taken_but_never_a_traceback(setting, number):
    complaints = complaints_about({setting: JUNK[number]})

    assert all(one.startswith(setting) and one.isprintable() for one in complaints)
    assert complaints or JUNK[number] in ([], (), {}, True, {"": None})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("endpoint", [None, "", 0, [], {}, b"x", "\n", "x" * 10_000, "*"])
def test_an_endpoint_fits_its_protocol(protocol, endpoint):
    complaints = complaints_about({"subscriptions": [subscription(protocol=protocol, endpoint=endpoint)]})

    assert any(one.startswith("subscriptions[0].endpoint must be ") for one in complaints)


def test_an_optional_field_of_null_is_as_absent():
    optional = {"raw_message_delivery": None, "filter_policy": None, "subscription_role_arn": None}

    assert complaints_about({"subscriptions": [subscription(**optional)]}) == []


@pytest.mark.parametrize("setting", ["kms_key_arn", "powertools_layer_arn"])
def test_what_may_be_known_later_is_left_to_aws(setting):
    assert complaints_about({setting: pulumi.Output.from_input("anything")}) == []


def test_a_class_that_no_secret_gets_into_is_refused_with_why():
    everything, some = {"days": 30, "name": "*"}, {"days": 7, "name": "prod/*"}
    elsewhere = {"days": 1, "tag": {"key": "audit", "value": "no"}}

    assert complaints_about({"max_age_classes": [elsewhere, everything, some]}) == [
        'max_age_classes[2] must be a class that a secret can get into, got {"days": 7, "name": "prod/*"}: '
        "the class [1] before it takes in the same secrets"
    ]
    given = {"max_age_classes": [elsewhere], "managed_tag": {"key": "audit", "value": "yes"}}
    assert complaints_about(given) == [
        "max_age_classes[0] must be a class that a secret can get into, got "
        '{"days": 1, "tag": {"key": "audit", "value": "no"}}: every secret under audit has the tag audit=yes'
    ]


def test_classes_are_not_compared_before_each_of_them_and_the_managed_tag_are_right():
    classes = [age_class(), age_class()]

    [complaint] = complaints_about({"max_age_classes": [*classes, age_class(days=-1)]})
    assert complaint.startswith("max_age_classes[2].days must be ")
    [complaint] = complaints_about({"max_age_classes": classes, "managed_tag": {"key": "x"}})
    assert complaint.startswith("managed_tag must be ")


@pytest.mark.parametrize("secret", ["max_age_classes", "managed_tag"])
def test_a_complaint_about_classes_repeats_nothing_that_is_secret(secret):
    given = {
        "max_age_classes": [{"days": 1, "tag": {"key": "s3cr3t", "value": "s3cr3t-too"}}, age_class(), age_class()],
        "managed_tag": {"key": "s3cr3t", "value": "yes"},
    }

    complaints = complaints_about(given, hidden=frozenset({secret}))

    assert len(complaints) == 2
    for complaint in complaints:
        assert complaint.endswith(" must be a class that a secret can get into, got a secret value")


def test_endpoints_and_roles_may_be_known_later():
    later = pulumi.Output.from_input("anything")

    given = [subscription(protocol="firehose", endpoint=later, subscription_role_arn=later)] * 2
    assert complaints_about({"subscriptions": given}) == []


@pytest.mark.parametrize(
    "setting", sorted(set(RotationGuardArgs.__annotations__) - {"kms_key_arn", "powertools_layer_arn"})
)
def test_what_has_to_be_known_at_once_may_not_be_an_output(setting):
    [complaint] = complaints_about({setting: pulumi.Output.from_input("anything")})

    assert complaint.startswith(f"{setting} must be ")
    assert "a value that is known only later" in complaint
    assert "Calling __str__" not in complaint


def test_an_output_deep_in_a_pattern_is_refused():
    [complaint] = complaints_about({"extra_rules": [rule(event_pattern={"source": [pulumi.Output.from_input("x")]})]})

    assert complaint.startswith("extra_rules[0].event_pattern must be ")


def test_a_setting_that_nobody_declared_is_refused_with_the_one_that_was_meant():
    [near] = complaints_about({"max_age_day": 30})
    [far] = complaints_about({"7": 30})

    assert near == "max_age_day is not a setting; did you mean max_age_days?"
    assert far.startswith(
        "7 is not a setting; settings are dead_letter_retention_days, deletion_protection, demo, drill, "
    )


@pytest.mark.parametrize(
    ("source", "dead", "refused"), [(7, 7, False), (7, 6, True), (14, 14, False), (None, 6, True), (14, None, False)]
)
def test_dead_letters_are_kept_no_less_than_their_source(source, dead, refused):
    given = {"queue_retention_days": source, "dead_letter_retention_days": dead}

    complaints = complaints_about({name: value for name, value in given.items() if value is not None})

    assert bool(complaints) is refused


def test_everything_that_is_wrong_is_in_one_message():
    wrong = {setting: values[0] for setting, _, values in reversed(BAD)} | {"nobody": 1}

    with pytest.raises(InvalidSettings) as refusal:
        refuse_invalid(wrong)

    assert isinstance(refusal.value, pulumi.RunError)
    first, *lines = str(refusal.value).splitlines()
    assert first == f"rotation-guard has {len(lines)} settings that cannot be deployed:"
    assert lines == [f"  {complaint}" for complaint in refusal.value.complaints]
    named = {line.split()[0].partition("[")[0].partition(".")[0] for line in lines}
    assert named == {*RotationGuardArgs.__annotations__, "nobody"}


def test_what_is_right_is_not_refused():
    refuse_invalid({setting: values[-1] for setting, values in GOOD})
