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

UNAVAILABLE = [
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
]
"""Lambda throttles, or has trouble of its own
(https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html)."""
FAILED = ["Lambda.Unknown", "States.Timeout", "States.TaskFailed"]
"""The function itself has failed, has been ended, or has run out of time."""
FAILED_ATTEMPTS = 5
"""Retries of a function that fails: in about a minute."""
UNAVAILABLE_ATTEMPTS = 34
"""Retries while Lambda is unavailable: for a quarter of an hour on average, and half an hour at most. Others may use up
what the account may run at once, and waiting costs nothing."""
URGENT_ATTEMPTS = 19
"""Half as long, for steps before a notification and steps that run repeatedly."""
_BACKOFF = {"IntervalSeconds": 2, "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}


def step(
    function_arn: str,
    payload: Mapping[str, Any],
    *,
    result: str | None,
    then: str,
    otherwise: str,
    seconds: int,
    unavailable_attempts: int = UNAVAILABLE_ATTEMPTS,
) -> State:
    """Calls a function, and keeps its answer at `result`, or nothing of it.

    A function that fails is called again, five times in about a minute, and one that Lambda does not run as often as
    `unavailable_attempts` says. Then it goes on at `otherwise`, the error's name at `$.error.Error`. The first rule
    that names an error decides, and each has attempts of its own
    (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html).
    """
    return {
        "Type": "Task",
        # Not the integration lambda:invoke, whose answer would wrap what the function says in what Lambda says of it.
        "Resource": function_arn,
        "Parameters": {**EXECUTION, **payload},
        "TimeoutSeconds": seconds,
        "Retry": [
            {"ErrorEquals": UNAVAILABLE, "MaxAttempts": unavailable_attempts, **_BACKOFF},
            {"ErrorEquals": FAILED, "MaxAttempts": FAILED_ATTEMPTS, **_BACKOFF},
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": otherwise}],
        "ResultPath": result,
        "Next": then,
    }


def call(resource: str, parameters: Mapping[str, Any], *, result: str | None, then: str, otherwise: str) -> State:
    """Calls a service without any function; what fails is tried again for a minute, and then goes on at `otherwise`."""
    return {
        "Type": "Task",
        "Resource": resource,
        "Parameters": dict(parameters),
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": FAILED_ATTEMPTS, **_BACKOFF}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": otherwise}],
        "ResultPath": result,
        "Next": then,
    }


def choice(*rules: State, otherwise: str) -> State:
    """Goes where the first rule that holds leads to, and else to `otherwise`."""
    return {"Type": "Choice", "Choices": list(rules), "Default": otherwise}


def when(path: str, word: str, then: str) -> State:
    """A rule: this word stands at this path."""
    return {"Variable": path, "StringEquals": word, "Next": then}


def when_same(path: str, other: str, then: str) -> State:
    """A rule: the same word stands at both paths."""
    return {"Variable": path, "StringEqualsPath": other, "Next": then}


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
