"""The kill switch stops all repairs while it says anything but `go`."""

import pytest
from botocore.exceptions import ClientError

FORWARD = {"current": "broken", "pending": "works", "previous": "broken"}
SWITCH = "/rotation-guard/kill-switch"


@pytest.fixture(autouse=True)
def set_kill_switch(aws, scene):
    """Sets the kill switch, which initially says go."""

    def set_value(value):
        aws.client("ssm").put_parameter(Name=SWITCH, Value=value, Type="String", Overwrite=True)

    set_value("go")
    return set_value


@pytest.mark.parametrize("value", ["stop", "Stop now", "no", "gone", "go go", "-"])
def test_a_kill_switch_that_does_not_say_go_escalates_every_incident(aws, scene, set_kill_switch, value):
    incident = scene.open(scene.secret())
    set_kill_switch(value)

    answer = scene.decide(incident, FORWARD)

    assert (answer["action"], answer["outcome"]) == ("end", "escalated")
    assert "kill switch" in answer["reason"]
    assert aws.requests("GetParameter") == [{"Name": SWITCH}]


@pytest.mark.parametrize("value", ["go", "GO", " go "])
def test_a_kill_switch_that_says_go_permits_repairs(scene, set_kill_switch, value):
    incident = scene.open(scene.secret())
    set_kill_switch(value)

    assert scene.decide(incident, FORWARD)["action"] == "move"


def test_the_kill_switch_is_read_at_each_decision(scene, set_kill_switch):
    incident = scene.open(scene.secret())
    actions = []
    for value in ("go", "stop", "go"):
        set_kill_switch(value)
        actions.append(scene.decide(incident, FORWARD)["action"])

    assert actions == ["move", "end", "move"]


def test_a_missing_kill_switch_says_stop(aws, scene):
    incident = scene.open(scene.secret())
    aws.client("ssm").delete_parameter(Name=SWITCH)

    assert scene.decide(incident, FORWARD)["outcome"] == "escalated"


def test_a_kill_switch_that_cannot_be_read_permits_nothing(aws, scene):
    incident = scene.open(scene.secret())
    aws.answer("GetParameter", lambda _: aws.Refusal("AccessDeniedException"))

    with pytest.raises(ClientError, match="AccessDeniedException"):
        scene.decide(incident, FORWARD)

    assert scene.actions(incident) == []


def test_a_recovery_counts_while_the_kill_switch_says_stop(scene, set_kill_switch):
    incident = scene.open(scene.secret())
    set_kill_switch("stop")

    assert scene.decide(incident, {}, recovered=True)["outcome"] == "recovered by AWS"
