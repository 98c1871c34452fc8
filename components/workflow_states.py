"""States in Amazon States Language, one function for each kind (https://states-language.net/spec.html).

All paths are JSONPath. AWS ends an execution without any Catch where a path leads nowhere, so that a state reads only
what every way to it has written.
"""

from collections.abc import Mapping
from typing import Any

State = dict[str, Any]
States = dict[str, State]

EXECUTION = {"execution.$": "$$.Execution.Id", "entered_at.$": "$$.State.EnteredTime"}
"""Which execution asks, and when by AWS's clock: with each step's payload."""

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


def step(
    function_arn: str, payload: Mapping[str, Any], *, result: str | None, then: str, otherwise: str, seconds: int
) -> State:
    """Calls a function, and keeps its answer at `result`, or nothing of it.

    What fails for reasons of its own is tried again, five times in about a minute, and then goes on at `otherwise`, the
    error's name at `$.error.Error`.
    """
    return {
        "Type": "Task",
        # Not the integration lambda:invoke, whose answer would wrap what the function says in what Lambda says of it.
        "Resource": function_arn,
        "Parameters": {**EXECUTION, **payload},
        "TimeoutSeconds": seconds,
        "Retry": [_PASSING],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": otherwise}],
        "ResultPath": result,
        "Next": then,
    }


def publish(partition: str, topic_arn: str, subject: str, message: str, *, then: str) -> State:
    """Tells a topic without any function; `message` is an expression. It ends at `then`, whether it could or not."""
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::sns:publish",
        "Parameters": {"TopicArn": topic_arn, "Subject": subject, "Message.$": message},
        "Retry": [{**_PASSING, "ErrorEquals": ["States.ALL"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": then}],
        "ResultPath": None,
        "Next": then,
    }


def choice(*rules: State, otherwise: str) -> State:
    """Goes where the first rule that holds leads to, and else to `otherwise`."""
    return {"Type": "Choice", "Choices": list(rules), "Default": otherwise}


def when(path: str, word: str, then: str) -> State:
    """A rule: this word stands at this path."""
    return {"Variable": path, "StringEquals": word, "Next": then}


def when_true(path: str, then: str) -> State:
    """A rule: what is at this path is true."""
    return {"Variable": path, "BooleanEquals": True, "Next": then}


def when_there(path: str, then: str) -> State:
    """A rule: something is at this path."""
    return {"Variable": path, "IsPresent": True, "Next": then}


def when_at_least(path: str, number: int, then: str) -> State:
    """A rule: the number at this path is no less than this one."""
    return {"Variable": path, "NumericGreaterThanEquals": number, "Next": then}


def wait(seconds: int | str, then: str) -> State:
    """Waits for so many seconds, or for those at a path."""
    return {"Type": "Wait", "SecondsPath" if isinstance(seconds, str) else "Seconds": seconds, "Next": then}


def put(value: Any, at: str, then: str) -> State:
    """Writes a value at this path."""
    return {"Type": "Pass", "Result": value, "ResultPath": at, "Next": then}


def make(fields: Mapping[str, Any], at: str, then: str) -> State:
    """Writes a map at this path, `$` for all there is, with what stands elsewhere in its fields that end in `.$`."""
    return {"Type": "Pass", "Parameters": dict(fields), "ResultPath": at, "Next": then}


def count(at: str, then: str) -> State:
    """One more at this path, which is a map with a `count`."""
    return make({"count.$": f"States.MathAdd({at}.count, 1)"}, at, then)


def succeed() -> State:
    """The execution ends well."""
    return {"Type": "Succeed"}


def fail(error: str, cause: str) -> State:
    """The execution ends as failed, which shows in the console and in its metrics."""
    return {"Type": "Fail", "Error": error, "Cause": cause}
