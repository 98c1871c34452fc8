"""The last resort of the workflow: a notification that needs no function."""

from ..release import link_heading
from .states import States, call, choice, fail, wait, when_same, when_there

NOTICE_SECONDS = 120
"""How long the first execution of an hour may take to publish a notification for all of them."""
NOTICES = "limit#notices"
"""Key of the rows that say which execution publishes the notification of an hour, in the incidents table."""


def write_last_resort(partition: str, incidents_table_name: str, critical_topic_arn: str, runbook_url: str) -> States:
    """The states that notify without any function: once an hour, however many executions fail.

    The first execution of an hour publishes and records it. The others wait for the record, and publish as well if
    there is none, or if the table can be neither written nor read.
    """
    table, integration = {"TableName": incidents_table_name}, f"arn:{partition}:states:::"
    written = {name: {"S.$": f"$.notice.Attributes.{name}.S"} for name in ("secret_arn", "opened_at")}
    hour = "States.ArrayGetItem(States.StringSplit($$.State.EnteredTime, ':'), 0)"
    first = {
        **table,
        "Key": {"secret_arn": {"S": NOTICES}, "opened_at": {"S.$": hour}},
        "UpdateExpression": "SET holder = if_not_exists(holder, :execution) ADD executions :one",
        "ExpressionAttributeValues": {":execution": {"S.$": "$$.Execution.Id"}, ":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }
    published = {
        **table,
        "Key": written,
        "UpdateExpression": "SET told_at = :now",
        "ExpressionAttributeValues": {":now": {"S.$": "$$.State.EnteredTime"}},
    }
    _, _, _, region, account, _ = critical_topic_arn.split(":", 5)
    machine = (
        "$(aws stepfunctions describe-execution --execution-arn {} --query stateMachineArn --output text "
        f"--region {region})"
    )
    runbook = f" Runbook: {link_heading(runbook_url, 'the-workflow-itself-failed')}" if runbook_url else ""
    # On one line: no page of AWS says that a text in States.Format may have more
    # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html).
    text = (
        "States.Format('AT RISK: the workflow that handles failed rotations failed itself: {}. Nothing was done "
        f"about this event: {{}} Account: {account}. Region: {region}. Execution: {{}} Read its errors: aws "
        "stepfunctions get-execution-history --execution-arn {} --reverse-order --max-items 20 "
        f"--region {region} Others that fail within the hour publish no notice of their own. List them: aws "
        f"stepfunctions list-executions --state-machine-arn {machine} --status-filter FAILED --region {region}"
        f"{runbook}', "
        "$.error.Error, States.JsonToString($.heard), $$.Execution.Id, $$.Execution.Id, $$.Execution.Id)"
    )
    notice = {
        "TopicArn": critical_topic_arn,
        # Without the secret's name, which may be longer than a subject.
        "Subject": f"AT RISK rotation-guard {account} {region}: a rotation event was not handled",
        "Message.$": text,
        "MessageAttributes": {"severity": {"DataType": "String", "StringValue": "AT RISK"}},
    }
    return {
        "ClaimLastResort": call(
            f"{integration}dynamodb:updateItem",
            first,
            result="$.notice",
            then="LastResortClaimed",
            otherwise="PublishLastResort",
        ),
        "LastResortClaimed": choice(
            when_same("$.notice.Attributes.holder.S", "$$.Execution.Id", "PublishLastResort"),
            otherwise="AwaitLastResort",
        ),
        "AwaitLastResort": wait(NOTICE_SECONDS, "ReadLastResort"),
        "ReadLastResort": call(
            f"{integration}dynamodb:getItem",
            {**table, "Key": written, "ConsistentRead": True},
            result="$.read",
            then="LastResortRead",
            otherwise="PublishLastResort",
        ),
        "LastResortRead": choice(when_there("$.read.Item.told_at", "Unhandled"), otherwise="PublishLastResort"),
        "PublishLastResort": call(
            f"{integration}sns:publish", notice, result=None, then="Published", otherwise="Unhandled"
        ),
        # An execution that has published succeeds: an alarm on failed ones would page a second time.
        "Published": choice(when_there("$.notice", "RecordLastResort"), otherwise="Done"),
        "RecordLastResort": call(
            f"{integration}dynamodb:updateItem", published, result=None, then="Done", otherwise="Done"
        ),
        "Unhandled": fail("StepFailed", "A step failed for good; this execution was not reported separately."),
    }
