"""Reads AWS for the checks: each question once, only with actions that are listed here, and none of them writes."""

from collections.abc import Mapping
from concurrent.futures import Future
from threading import Lock
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from ..aws import AwsSession
from .link import TRY_AGAIN, Finding, Unanswered, cannot_tell, missing

ACTIONS = frozenset(
    {
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetEventSelectors",
        "cloudtrail:GetTrailStatus",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricStatistics",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "events:DescribeApiDestination",
        "events:DescribeConnection",
        "events:DescribeEventBus",
        "events:DescribeRule",
        "events:ListTargetsByRule",
        "events:TestEventPattern",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:GetPolicy",
        "lambda:ListEventSourceMappings",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:ListBucket",
        "scheduler:GetSchedule",
        "securityhub:DescribeHub",
        "sns:GetSubscriptionAttributes",
        "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "ssm:GetParameter",
        "states:DescribeStateMachine",
    }
)
"""The IAM actions of all reads: a prefix of IAM and an operation of the API, which have the same names but in S3
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html)."""
RUNS_ACTION = "dynamodb:Query"
"""What the table of runs is read with (`audit_history`)."""
READ_ONLY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": sorted({*ACTIONS, RUNS_ACTION}), "Resource": "*"}],
}
"""What an operator needs for all checks."""
_CLIENTS = {"states": "stepfunctions"}
"""Prefix of IAM -> name of the client, where they differ."""
OPERATIONS: Mapping[str, str] = {
    "s3:GetBucketObjectLockConfiguration": "GetObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "s3:ListBucket": "ListObjectsV2",
}
"""IAM action -> operation, where they differ
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html)."""
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
    | {"UnauthorizedOperation", "KMSAccessDenied", "KMSAccessDeniedException"}
)
_MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        # Of Security Hub: it is not enabled, or does not let the account use it.
        "InvalidAccessException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchPublicAccessBlockConfiguration",
        "NotFound",
        "NotFoundException",
        "ObjectLockConfigurationNotFoundError",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "StateMachineDoesNotExist",
        "TableNotFoundException",
        "TrailNotFoundException",
    }
)
_THROTTLED = frozenset(
    {"LimitExceededException", "RequestLimitExceeded", "RequestThrottled", "SlowDown", "Throttled"}
    | {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"}
)

Response = Mapping[str, Any]


class AwsReader:
    """One deployment's AWS, read by many threads at once."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._answers: dict[str, Future[Response | None]] = {}
        self._lock, self._creating = Lock(), Lock()

    def read(self, action: str, **parameters: Any) -> Response | None:
        """The response to one call, all pages of it in one; None if what it names does not exist.

        Raises Unanswered. A call with the same parameters is made once, whoever asks.
        """
        if action not in ACTIONS:
            raise ValueError(f"{action} must be one of the actions that are listed and documented")
        key = f"{action} {sorted(parameters.items())!r}"
        with self._lock:
            is_first = key not in self._answers
            answer = self._answers.setdefault(key, Future())
        if is_first:
            try:
                answer.set_result(self._call(action, parameters))
            except Exception as error:  # noqa: BLE001 - whoever waits for the answer raises it
                answer.set_exception(error)
        return answer.result()

    def read_existing(self, action: str, **parameters: Any) -> Response:
        """The same; raises Unanswered if what it names does not exist, which another link is about."""
        response = self.read(action, **parameters)
        if response is None:
            names = ", ".join(str(value) for value in parameters.values())
            raise Unanswered(missing(names))
        return response

    def _call(self, action: str, parameters: Mapping[str, Any]) -> Response | None:
        prefix, _, name = action.partition(":")
        client, method = self._client(_CLIENTS.get(prefix, prefix)), xform_name(OPERATIONS.get(action, name))
        try:
            if client.can_paginate(method):
                return client.get_paginator(method).paginate(**parameters).build_full_result()
            return getattr(client, method)(**parameters)
        except ClientError as error:
            response = error.response.get("Error", {})
            code = str(response.get("Code"))
            if code in _MISSING:
                return None
            raise Unanswered(explain_refusal(action, code, _join(response.get("Message") or ""))) from None
        except EndpointConnectionError:
            raise Unanswered(
                cannot_tell(f"{self._session.description} does not answer {action}.", "Check the network, and retry.")
            ) from None
        except BotoCoreError as error:
            raise Unanswered(
                cannot_tell(f"{action} cannot be called: {_join(error)}.", "Repair what the sentence names.")
            ) from None

    def _client(self, service: str) -> Any:
        with self._creating:
            if service not in self._clients:
                self._clients[service] = self._session.client(service)
            return self._clients[service]


def explain_refusal(action: str, code: str, message: str) -> Finding:
    """Why a call was not answered, by AWS's error code; a permission that the caller lacks is named."""
    if code in _DENIED or "not authorized to perform" in message:
        return cannot_tell(
            f"The caller may not call {action}.", f"Allow {action} to the caller (docs/doctor.md has the policy)."
        )
    if code in _THROTTLED:
        return cannot_tell(f"AWS throttles {action}.", TRY_AGAIN)
    return cannot_tell(f"{action} was refused: {code}: {message.rstrip('.')}.", "Run it again.")


def _join(text: object) -> str:
    return " ".join(str(text).split())
