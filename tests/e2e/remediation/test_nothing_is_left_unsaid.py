"""What is open or escalated is told to its end: by whoever takes it over, and by whoever hears of the new value."""

import pytest

from local.waiting import eventually


def turns_on(topic, ended):
    """What the notices of a topic were about, in their order."""
    return [notice.told["turn"] for notice in ended.notices if notice.topic == topic]


def unfinished(world, arn):
    """The rows by which the audit would find an incident of this secret that nobody goes on with."""
    rows = world.raw_rows("incidents_table_name")
    return [row for row in rows if row["secret_arn"]["S"] == "unfinished" and row["incident_arn"]["S"] == arn]


def test_an_incident_whose_execution_was_stopped_is_found_by_the_audit_and_told_to_its_end(patient):
    arn = patient.estate.untag(patient.estate.secret(), "remediation")
    patient.put(patient.event("rotation-failed", arn))
    row = patient.listener.row(arn, lambda row: "event bus" in [action.get("to") for action in row.get("actions", ())])
    executions = patient.stack.client("stepfunctions")
    executions.stop_execution(executionArn=row["execution"])
    assert unfinished(patient, arn)
    patient.stack.client("dynamodb").update_item(
        TableName=patient.stack.outputs["incidents_table_name"],
        Key={"secret_arn": {"S": arn}, "opened_at": {"S": row["opened_at"]}},
        UpdateExpression="SET alive_until = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )

    audit = patient.stack.client("lambda").invoke(FunctionName=patient.stack.outputs["function_name"], Payload=b"{}")

    assert "FunctionError" not in audit, audit["Payload"].read()
    ended = patient.listener.ended(arn)
    assert executions.describe_execution(executionArn=row["execution"])["status"] == "ABORTED"
    assert ended.executions == {ended.row["resumed_by"]: "SUCCEEDED"}
    assert (ended.row["outcome"], ended.row["attempts"]) == ("escalated", 0)
    assert ended.detail_types == ["Opened", "Stalled", "Escalated"]
    assert turns_on("remediation", ended) == ["opened", "escalated"]
    assert turns_on("critical", ended) == ["escalated"]
    assert unfinished(patient, arn) == []


def test_who_was_paged_is_told_that_the_secret_was_rotated_by_hand(repairing):
    arn = repairing.breaks(repairing.estate.untag(repairing.estate.secret(), "remediation"), "setSecret", times=1)
    assert repairing.listener.ended(arn).row["outcome"] == "escalated"

    # What AWS answers to who asks for a rotation while one is stuck, which it takes up again.
    with pytest.raises(repairing.estate.secretsmanager.exceptions.InvalidRequestException, match="be reattempted"):
        repairing.estate.rotate(arn)
    repairing.aws_says("RotationSucceeded", arn)

    eventually(
        lambda: repairing.listener.row(arn)["outcome"] == "resolved", f"the new value of {arn} to be heard of", 30
    )
    eventually(lambda: not unfinished(repairing, arn), f"the end of what is told about {arn}", 30, 0.1)
    ended = repairing.listener.ended(arn)
    assert (ended.row["outcome"], ended.row["resolved_outcome"]) == ("resolved", "escalated")
    assert turns_on("critical", ended) == ["escalated", "resolved"]
    assert turns_on("remediation", ended) == ["opened", "escalated", "resolved"]
    assert ended.detail_types[-1] == "Resolved"
    assert len(repairing.listener.rows(arn)) == 1
