"""What happens when a rotation fails, as data: the definition of the state machine, in Amazon States Language.

The steps answer what happened in `outcome`, and the definition chooses. Waiting and trying again belong here and not
in a function that would pay for its sleep.
"""

import json
from typing import Any

# Lambda's own passing troubles, as AWS lists them
# (https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html), and a step that ran out of time.
_PASSING = {
    "ErrorEquals": [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "States.Timeout",
        "States.TaskFailed",
    ],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 5,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
_UNHEARD = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Escalate"}

STEP_TIMEOUT_SECONDS = 60


def definition(partition: str, claim_arn: str, notify_arn: str, critical_topic_arn: str) -> str:
    """The workflow, as JSON: claim the incident, tell people once, and end.

    Its input is the event as EventBridge delivers it. There is no path on which a failure ends unheard: a step that
    fails for reasons of its own is tried again, and in the end the workflow tells the critical topic by itself, without
    any function, and ends as failed.
    """
    return json.dumps(
        {
            "Comment": "rotation-guard: a rotation failed",
            "StartAt": "Claim",
            "States": {
                "Claim": _step(
                    partition,
                    claim_arn,
                    {
                        "event.$": "$$.Execution.Input",
                        "execution.$": "$$.Execution.Id",
                        "started_at.$": "$$.Execution.StartTime",
                    },
                    {"ResultPath": "$.claim", "Next": "WhoTells"},
                ),
                "WhoTells": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.claim.outcome", "StringEquals": "opened", "Next": "Notify"},
                        {"Variable": "$.claim.outcome", "StringEquals": "unidentified", "Next": "Notify"},
                    ],
                    "Default": "Known",
                },
                "Known": {"Type": "Succeed", "Comment": "The incident is open already, and people were told."},
                "Notify": _step(
                    partition,
                    notify_arn,
                    {
                        "event.$": "$$.Execution.Input",
                        "execution.$": "$$.Execution.Id",
                        "incident.$": "$.claim.incident",
                    },
                    {"ResultPath": "$.notice", "Next": "Told"},
                ),
                "Told": {"Type": "Succeed"},
                "Escalate": {
                    "Type": "Task",
                    "Resource": f"arn:{partition}:states:::sns:publish",
                    "Parameters": {
                        "TopicArn": critical_topic_arn,
                        "Subject": "rotation-guard could not handle a failed rotation",
                        "Message.$": (
                            "States.Format('A rotation failed, and the workflow that handles it failed too: {}: {} "
                            "Execution: {}', $.error.Error, $.error.Cause, $$.Execution.Id)"
                        ),
                    },
                    "Retry": [{**_PASSING, "ErrorEquals": ["States.ALL"]}],
                    "ResultPath": None,
                    "Next": "Unhandled",
                },
                "Unhandled": {
                    "Type": "Fail",
                    "Error": "StepFailed",
                    "Cause": "A step failed for good; the critical topic was told.",
                },
            },
        }
    )


def _step(partition: str, function_arn: str, payload: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::lambda:invoke",
        "Parameters": {"FunctionName": function_arn, "Payload": payload},
        "ResultSelector": {"outcome.$": "$.Payload.outcome", "incident.$": "$.Payload.incident"},
        "TimeoutSeconds": STEP_TIMEOUT_SECONDS,
        "Retry": [_PASSING],
        "Catch": [_UNHEARD],
        **then,
    }
