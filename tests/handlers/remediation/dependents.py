"""Dependents of a secret as AWS plays them: what was restarted, how often, and how that goes on."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import exceptions
from botocore.exceptions import ClientError

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders/db-Ab12Cd"
OPENED_AT = "2026-03-01T00:00:00.000Z"
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/shop/orders"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-api"
DOCUMENT = "arn:aws:ssm:eu-west-1:123456789012:document/restart-orders"
LABELS = {SERVICE: "ecs:shop/orders", FUNCTION: "lambda:orders-api", DOCUMENT: "ssm:restart-orders"}
AUTOMATION = "4105a4fc-f944-11e6-9d32-00000000000"
PASSWORD = "hunter2"
WRITES = ("UpdateItem", "UpdateService", "UpdateFunctionConfiguration", "StartAutomationExecution")


NETWORK_ERRORS = {
    "EndpointConnectionError": {"endpoint_url": f"https://x?{PASSWORD}"},
    "ConnectTimeoutError": {"endpoint_url": f"https://x?{PASSWORD}"},
    "ReadTimeoutError": {"endpoint_url": f"https://x?{PASSWORD}"},
    "ConnectionClosedError": {"endpoint_url": f"https://x?{PASSWORD}"},
    "ProxyConnectionError": {"proxy_url": f"https://x?{PASSWORD}"},
    "SSLError": {"endpoint_url": f"https://x?{PASSWORD}", "error": PASSWORD},
    "HTTPClientError": {"error": PASSWORD},
}
"""What boto3 raises where AWS is not reached (https://docs.aws.amazon.com/boto3/latest/guide/error-handling.html), and
what each of them takes."""


class Crash(BaseException):
    """The function is gone, between two calls: nothing in it can catch this."""


class Dependents:
    """One service, one function and the automations of an account, answered in AWS's own shape."""

    def __init__(self, aws):
        self.aws = aws
        self.started = Counter()
        """Restarts that really began, by target."""
        self.is_ahead = timedelta(0)
        """By how much the clock of ECS is ahead of the function's."""
        self.repeats_automations = True
        """Whether a client token that is used again answers the first automation, or is refused."""
        self.service: dict[str, Any] = {}
        self.function: dict[str, Any] = {}
        self.automations = {}
        self.most_automations = 100
        """How many may run at once
        (https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html)."""
        self._tokens = {}
        self._crash = (0, "")
        self._writes = 0
        self.start_anew()
        answers = {
            "DescribeServices": self.describe_services,
            "UpdateService": self.update_service,
            "GetFunctionConfiguration": self.get_function,
            "UpdateFunctionConfiguration": self.update_function,
            "StartAutomationExecution": self.start_automation,
            "GetAutomationExecution": self.get_automation,
            "UpdateItem": self.update_item,
        }
        for operation, answer in answers.items():
            aws.answer(operation, self._crashing(answer) if operation in WRITES else answer)

    def start_anew(self):
        """Nothing was restarted yet."""
        self.started.clear()
        self._tokens.clear()
        self.automations.clear()
        self.service = {"status": "ACTIVE", "events": [], "deployments": [self.deployment("ecs-svc/1", 3600)]}
        self.function = {
            "RevisionId": "revision-0",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Environment": {"Variables": {"DB_PASSWORD": PASSWORD}},
        }

    def settle(self):
        """Everything that was restarted has settled."""
        for deployment in self.service["deployments"]:
            deployment["rolloutState"] = "COMPLETED"
        del self.service["deployments"][1:]
        self.function["LastUpdateStatus"] = "Successful"
        self.automations = dict.fromkeys(self.automations, "Success")

    def crash(self, number, when):
        """The function is to end `before` or `after` its write of this number."""
        self._crash, self._writes = (number, when), 0

    def deployment(self, deployment_id, seconds_ago=0.0, status="PRIMARY", rollout="COMPLETED", **more):
        """A deployment as DescribeServices tells it."""
        created = datetime.now(UTC) - timedelta(seconds=seconds_ago) + self.is_ahead
        state = {"rolloutState": rollout} if rollout else {}
        counts = {"desiredCount": 2, "runningCount": 2}
        return {"id": deployment_id, "status": status, "createdAt": created, **counts, **state, **more}

    def describe_services(self, asked):
        assert (asked["cluster"], asked["services"]) == ("shop", ["orders"])
        return {"services": [self.service], "failures": []}

    def update_service(self, asked):
        assert asked == {"cluster": "shop", "service": "orders", "forceNewDeployment": True}
        self.started[SERVICE] += 1
        for deployment in self.service["deployments"]:
            deployment["status"] = "ACTIVE"
        number = len(self.service["deployments"]) + 1
        self.service["deployments"].insert(0, self.deployment(f"ecs-svc/{number}", rollout="IN_PROGRESS"))
        return {"service": self.service}

    def get_function(self, asked):
        return json.loads(json.dumps(self.function))

    def update_function(self, asked):
        """Refused while the function is created or updated (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)."""
        if self.function["State"] == "Pending" or self.function["LastUpdateStatus"] == "InProgress":
            return refusal(self.aws, "ResourceConflictException", 409)
        if asked["RevisionId"] != self.function["RevisionId"]:
            return self.aws.Refusal("PreconditionFailedException", 412)
        self.started[FUNCTION] += 1
        self.function |= {
            "RevisionId": f"revision-{self.started[FUNCTION]}",
            "LastUpdateStatus": "InProgress",
            "Environment": asked["Environment"],
        }
        return dict(self.function)

    def start_automation(self, asked):
        token = asked["ClientToken"]
        assert asked == {"DocumentName": "restart-orders", "ClientToken": token}
        if token in self._tokens and not self.repeats_automations:
            return self.aws.Refusal("IdempotentParameterMismatch")
        if token not in self._tokens and list(self.automations.values()).count("InProgress") >= self.most_automations:
            return refusal(self.aws, "AutomationExecutionLimitExceededException")
        if token not in self._tokens:
            self.started[DOCUMENT] += 1
            self._tokens[token] = AUTOMATION + str(len(self._tokens) + 1)
            self.automations[self._tokens[token]] = "InProgress"
        return {"AutomationExecutionId": self._tokens[token]}

    def get_automation(self, asked):
        status = self.automations.get(asked["AutomationExecutionId"])
        if status is None:
            return self.aws.Refusal("AutomationExecutionNotFoundException")
        return {"AutomationExecution": {"AutomationExecutionStatus": status}}

    def update_item(self, asked):
        try:
            answer = self.aws.client("dynamodb").update_item(**asked)
        except ClientError as error:
            return self.aws.Refusal(error.response["Error"]["Code"])
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def _crashing(self, answer):
        def answered(asked):
            self._writes += 1
            crash, when = self._crash
            if self._writes == crash and when == "before":
                raise Crash
            given = answer(asked)
            if self._writes == crash:
                raise Crash
            return given

        return answered


def refusal(aws, code, status=400):
    """AWS's refusal, in words that nobody is to read."""
    answer = aws.Refusal(code, status)
    answer.body["Error"]["Message"] = f"Value {PASSWORD} is not allowed"
    return answer


def unreachable(name):
    """An answer to a call that does not reach AWS: boto3 raises this error of its own."""

    def answered(asked):
        raise getattr(exceptions, name)(**NETWORK_ERRORS[name])

    return answered


def entry(arn, state, handle="", why=""):
    """A restart as an incident's row holds it."""
    return {"target": LABELS[arn], "arn": arn, "state": state, "why": why, "handle": handle}
