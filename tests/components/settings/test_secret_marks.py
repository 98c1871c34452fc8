"""Which fields of a setting the stack's file marks as secret, and what counts as secret without it."""

import json

import pulumi
import pytest

from components.settings import configuration

KEY = "rotation-guard:subscriptions"
ROLE = "arn:aws:iam::111122223333:role/sns-to-firehose"
PLAIN = {"topic": "failures", "protocol": "email", "endpoint": "team@example.com"}
HOOK = {"topic": "critical", "protocol": "https", "endpoint": "https://example.com/token-1234"}
STREAM = {
    "topic": "failures",
    "protocol": "firehose",
    "endpoint": "arn:aws:firehose:eu-west-1:111122223333:deliverystream/archive",
    "subscriptionRoleArn": ROLE,
    "filterPolicy": {"account": ["111122223333"], "region": ["eu-west-1"]},
}
SUBSCRIPTIONS = [PLAIN, HOOK, STREAM]
CIPHERTEXT = {"secure": "v1:kZ3Rr9vKbYpQ1rDk:7M5nUeFv0hY2"}
"""As `pulumi config set --secret --path` writes it."""
ALL = {"0.endpoint", "1.endpoint", "2.endpoint", "2.filter_policy", "2.subscription_role_arn"}


def marked(*paths):
    """The subscriptions as in the stack's file, with these paths marked as secret."""
    written = json.loads(json.dumps(SUBSCRIPTIONS))
    for *path, last in paths:
        part = written
        for step in path:
            part = part[step]
        part[last] = CIPHERTEXT
    return written


@pytest.fixture
def secrets(run, tmp_path, monkeypatch):
    """The fields of the subscriptions that are secret, given the content of the stack's file."""
    monkeypatch.chdir(tmp_path)

    def read(file, entries=SUBSCRIPTIONS, key=KEY):
        text = file if isinstance(file, str) else json.dumps({"config": {key: file}})
        if file is not None:
            (tmp_path / "Pulumi.prod.yaml").write_text(text, encoding="utf-8")
        settings = {}

        def program():
            for position, entry in enumerate(configuration.read(pulumi.Config())["subscriptions"]):
                settings[position] = entry
                for field, value in entry.items():
                    is_secret = value.is_secret() if isinstance(value, pulumi.Output) else False
                    pulumi.export(f"{position}.{field}", is_secret)
                    pulumi.export(f"value {position}.{field}", value)

        outputs = run(program, config={KEY: json.dumps(entries)}, secret_keys=[KEY], stack="prod").outputs
        for position, entry in enumerate(entries):
            for field, value in entry.items():
                assert outputs[f"value {position}.{configuration._NESTED.get(field, field)}"] == value
        return {name for name, value in outputs.items() if value is True and not name.startswith("value ")}

    return read


@pytest.mark.parametrize(
    ("paths", "secret"),
    [
        ([(1, "endpoint")], {"1.endpoint"}),
        ([(0, "endpoint"), (2, "endpoint")], {"0.endpoint", "2.endpoint"}),
        ([(2, "subscriptionRoleArn")], {"2.subscription_role_arn"}),
        ([(2, "filterPolicy", "account", 0)], {"2.filter_policy"}),
        ([(1, "topic")], set()),
        ([(1, "topic"), (1, "endpoint")], {"1.endpoint"}),
    ],
)
def test_only_marked_fields_are_secret(secrets, paths, secret):
    assert secrets(marked(*paths)) == secret


def test_a_key_without_a_namespace_belongs_to_the_project(secrets):
    assert secrets(marked((1, "endpoint")), key="subscriptions") == {"1.endpoint"}


@pytest.mark.parametrize(
    "file",
    [
        None,
        "",
        "[]",
        "config: x",
        "config: {",
        "\x00",
        "[" * 5000,
        {},
        [],
        # The whole list in one secret.
        CIPHERTEXT,
        # No mark, although the engine reports one: it comes from elsewhere.
        SUBSCRIPTIONS,
        # Another list than that of the engine, as with `--config-file`.
        marked((1, "endpoint"))[:2],
        marked((1, "endpoint"))[::-1],
        [{**PLAIN, "endpoint": "other@example.com"}, *marked((1, "endpoint"))[1:]],
        [{**PLAIN, "rawMessageDelivery": False}, *marked((1, "endpoint"))[1:]],
        [PLAIN, {**HOOK, "endpoint": {"secure": 1}}, STREAM],
    ],
)
def test_every_field_that_can_be_is_secret_if_the_file_does_not_match(secrets, file):
    assert secrets(file) == ALL


def test_a_secret_subscription_has_the_same_name_as_a_plain_one(run):
    def names(**options):
        recording = run(program, config={KEY: json.dumps(SUBSCRIPTIONS)}, **options)
        return {resource.urn for resource in recording.resources}

    def program():
        from components.notifications.notifications import Notifications

        Notifications("alerts", {"subscriptions": configuration.read(pulumi.Config())["subscriptions"]})

    assert names() == names(secret_keys=[KEY])


@pytest.mark.parametrize("file", [marked((1, "endpoint")), CIPHERTEXT], ids=["a mark", "the whole list"])
def test_null_fields_are_omitted_from_secret_and_plain_subscriptions(run, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    nothing = {"name": None, "filterPolicy": None, "rawMessageDelivery": None}
    entries = [{**PLAIN, **nothing}, {**HOOK, **nothing}, {**HOOK, "topic": "failures", **nothing}]
    if isinstance(file, list):
        file = [{**entries[0]}, {**entries[1], "endpoint": CIPHERTEXT}, {**entries[2], "endpoint": CIPHERTEXT}]
    (tmp_path / "Pulumi.prod.yaml").write_text(json.dumps({"config": {KEY: file}}), encoding="utf-8")

    def program():
        from components.notifications.notifications import Notifications

        Notifications("alerts", {"subscriptions": configuration.read(pulumi.Config())["subscriptions"]})

    def subscriptions(entries, **options):
        recording = run(program, config={KEY: json.dumps(entries)}, stack="prod", **options)
        resources = [
            resource
            for resource in recording.resources
            if resource.type == "aws:sns/topicSubscription:TopicSubscription"
        ]
        assert not any("filterPolicy" in resource.inputs for resource in resources)
        return sorted(resource.name for resource in resources)

    plain = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    assert subscriptions(entries, secret_keys=[KEY]) == subscriptions(plain)


def test_a_configured_name_is_kept(run):
    subscriptions = []
    config = {KEY: json.dumps([{**HOOK, "name": "pager"}])}

    run(
        lambda: subscriptions.extend(configuration.read(pulumi.Config())["subscriptions"]),
        config=config,
        secret_keys=[KEY],
    )

    assert [subscription["name"] for subscription in subscriptions] == ["pager"]
