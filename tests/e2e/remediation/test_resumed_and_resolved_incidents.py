"""Open and escalated incidents are published to their end: a stopped execution is replaced, a new value resolves."""

import pytest

from local.waiting import eventually


def list_transitions(topic, incident):
    """The transitions in an incident's notifications on a topic, in order."""
    return [notification.payload["turn"] for notification in incident.notifications if notification.topic == topic]


def unfinished(world, arn):
    """The rows by which the audit would find a stalled incident of this secret."""
    rows = world.raw_rows("incidents_table_name")
    return [row for row in rows if row["secret_arn"]["S"] == "unfinished" and row["incident_arn"]["S"] == arn]


def test_the_audit_resumes_an_incident_whose_execution_was_stopped(default_world):
    arn = default_world.estate.untag(default_world.estate.secret(), "remediation")
    default_world.put(default_world.event("rotation-failed", arn))
    row = default_world.listener.row(
        arn, lambda row: "event bus" in [action.get("to") for action in row.get("actions", ())]
    )
    executions = default_world.stack.client("stepfunctions")
    executions.stop_execution(executionArn=row["execution"])
    assert unfinished(default_world, arn)
    default_world.stack.client("dynamodb").update_item(
        TableName=default_world.stack.outputs["incidents_table_name"],
        Key={"secret_arn": {"S": arn}, "opened_at": {"S": row["opened_at"]}},
        UpdateExpression="SET alive_until = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )

    audit = default_world.stack.client("lambda").invoke(
        FunctionName=default_world.stack.outputs["function_name"], Payload=b"{}"
    )

    assert "FunctionError" not in audit, audit["Payload"].read()
    incident = default_world.listener.wait_for_incident(arn)
    assert executions.describe_execution(executionArn=row["execution"])["status"] == "ABORTED"
    assert incident.executions == {incident.row["resumed_by"]: "SUCCEEDED"}
    assert (incident.row["outcome"], incident.row["attempts"]) == ("escalated", 0)
    assert incident.detail_types == ["Opened", "Stalled", "Escalated"]
    assert list_transitions("remediation", incident) == ["opened", "escalated"]
    assert list_transitions("critical", incident) == ["escalated"]
    assert unfinished(default_world, arn) == []


def test_a_rotation_by_hand_resolves_an_escalated_incident_and_notifies(repair_world):
    arn = repair_world.fail_rotation(
        repair_world.estate.untag(repair_world.estate.secret(), "remediation"), "setSecret", times=1
    )
    assert repair_world.listener.wait_for_incident(arn).row["outcome"] == "escalated"

    # AWS's response to RotateSecret while a rotation is stuck, which AWS then continues.
    with pytest.raises(repair_world.estate.secretsmanager.exceptions.InvalidRequestException, match="be reattempted"):
        repair_world.estate.rotate(arn)
    repair_world.wait_for_event("RotationSucceeded", arn)

    eventually(lambda: repair_world.listener.row(arn)["outcome"] == "resolved", f"{arn} to be resolved", 30)
    eventually(lambda: not unfinished(repair_world, arn), f"the end of notifications about {arn}", 30, 0.1)
    incident = repair_world.listener.wait_for_incident(arn)
    assert (incident.row["outcome"], incident.row["resolved_outcome"]) == ("resolved", "escalated")
    assert list_transitions("critical", incident) == ["escalated", "resolved"]
    assert list_transitions("remediation", incident) == ["opened", "escalated", "resolved"]
    assert incident.detail_types[-1] == "Resolved"
    assert len(repair_world.listener.rows(arn)) == 1
