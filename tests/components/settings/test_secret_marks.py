"""What the stack's own file says of which parts of a setting are secret, and what counts as secret without it."""

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
GIVEN = [PLAIN, HOOK, STREAM]
CIPHERTEXT = {"secure": "v1:kZ3Rr9vKbYpQ1rDk:7M5nUeFv0hY2"}
"""As `pulumi config set --secret --path` writes it."""
ALL = {"0.endpoint", "1.endpoint", "2.endpoint", "2.filter_policy", "2.subscription_role_arn"}


def marked(*places):
    """The subscriptions as the stack's file has them, with these places marked."""
    written = json.loads(json.dumps(GIVEN))
    for *path, last in places:
        part = written
        for step in path:
            part = part[step]
        part[last] = CIPHERTEXT
    return written


@pytest.fixture
def secrets(run, tmp_path, monkeypatch):
    """Which fields of the subscriptions are secret, the stack's file holding this; names must be the plain ones."""
    monkeypatch.chdir(tmp_path)

    def read(file, given=GIVEN, key=KEY):
        text = file if isinstance(file, str) else json.dumps({"config": {key: file}})
        if file is not None:
            (tmp_path / "Pulumi.prod.yaml").write_text(text, encoding="utf-8")
        found = {}

        def program():
            for position, one in enumerate(configuration.read(pulumi.Config())["subscriptions"]):
                found[position] = one
                for field, value in one.items():
                    is_secret = value.is_secret() if isinstance(value, pulumi.Output) else False
                    pulumi.export(f"{position}.{field}", is_secret)
                    pulumi.export(f"value {position}.{field}", value)

        outputs = run(program, config={KEY: json.dumps(given)}, secret_keys=[KEY], stack="prod").outputs
        for position, one in enumerate(given):
            for field, value in one.items():
                assert outputs[f"value {position}.{configuration._NESTED.get(field, field)}"] == value
        return {name for name, value in outputs.items() if value is True and not name.startswith("value ")}

    return read


@pytest.mark.parametrize(
    ("places", "secret"),
    [
        ([(1, "endpoint")], {"1.endpoint"}),
        ([(0, "endpoint"), (2, "endpoint")], {"0.endpoint", "2.endpoint"}),
        ([(2, "subscriptionRoleArn")], {"2.subscription_role_arn"}),
        ([(2, "filterPolicy", "account", 0)], {"2.filter_policy"}),
        ([(1, "topic")], set()),
        ([(1, "topic"), (1, "endpoint")], {"1.endpoint"}),
    ],
)
def test_only_what_is_marked_is_secret(secrets, places, secret):
    assert secrets(marked(*places)) == secret


def test_a_key_without_the_project_s_name_is_the_project_s(secrets):
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
        # No mark, though the engine says there is one: it comes from elsewhere.
        GIVEN,
        # Another list than that of the engine, as with `--config-file`.
        marked((1, "endpoint"))[:2],
        marked((1, "endpoint"))[::-1],
        [{**PLAIN, "endpoint": "other@example.com"}, *marked((1, "endpoint"))[1:]],
        [{**PLAIN, "rawMessageDelivery": False}, *marked((1, "endpoint"))[1:]],
        [PLAIN, {**HOOK, "endpoint": {"secure": 1}}, STREAM],
    ],
)
def test_all_that_can_be_is_secret_where_the_file_does_not_say_the_same(secrets, file):
    assert secrets(file) == ALL


def test_a_secret_endpoint_has_the_name_that_it_has_when_it_is_plain(run):
    def names(**how):
        recording = run(program, config={KEY: json.dumps(GIVEN)}, **how)
        return {resource.urn for resource in recording.resources}

    def program():
        from components.notifications.notifications import Notifications

        Notifications("told", {"subscriptions": configuration.read(pulumi.Config())["subscriptions"]})

    assert names() == names(secret_keys=[KEY])


@pytest.mark.parametrize("file", [marked((1, "endpoint")), CIPHERTEXT], ids=["a mark", "the whole list"])
def test_what_is_null_is_left_out_of_a_secret_subscription_as_of_a_plain_one(run, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    nothing = {"name": None, "filterPolicy": None, "rawMessageDelivery": None}
    given = [{**PLAIN, **nothing}, {**HOOK, **nothing}, {**HOOK, "topic": "failures", **nothing}]
    if isinstance(file, list):
        file = [{**given[0]}, {**given[1], "endpoint": CIPHERTEXT}, {**given[2], "endpoint": CIPHERTEXT}]
    (tmp_path / "Pulumi.prod.yaml").write_text(json.dumps({"config": {KEY: file}}), encoding="utf-8")

    def program():
        from components.notifications.notifications import Notifications

        Notifications("told", {"subscriptions": configuration.read(pulumi.Config())["subscriptions"]})

    def subscriptions(entries, **how):
        recording = run(program, config={KEY: json.dumps(entries)}, stack="prod", **how)
        found = [
            resource
            for resource in recording.resources
            if resource.type == "aws:sns/topicSubscription:TopicSubscription"
        ]
        assert not any("filterPolicy" in one.inputs for one in found)
        return sorted(one.name for one in found)

    plain = [{key: value for key, value in one.items() if value is not None} for one in given]
    assert subscriptions(given, secret_keys=[KEY]) == subscriptions(plain)


def test_a_name_that_was_given_is_kept(run):
    found = []
    config = {KEY: json.dumps([{**HOOK, "name": "pager"}])}

    run(lambda: found.extend(configuration.read(pulumi.Config())["subscriptions"]), config=config, secret_keys=[KEY])

    assert [one["name"] for one in found] == ["pager"]
