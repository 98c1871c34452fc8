"""A simulation of a secret's dependents in AWS: what was restarted, how often, and with what result."""

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
"""boto3's errors when AWS cannot be reached (https://docs.aws.amazon.com/boto3/latest/guide/error-handling.html), and
their arguments."""


class Crash(BaseException):
    """Ends the function between two calls: nothing in it can catch this."""


class Dependents:
    """One service, one function and the automations of an account, answered in AWS's own shape."""

    def __init__(self, aws):
        self.aws = aws
        self.started = Counter()
        """Restarts that really started, by target."""
        self.clock_offset = timedelta(0)
        """How far the clock of ECS is ahead of the function's."""
        self.repeats_automations = True
        """Whether a reused client token returns the first automation, or is refused."""
        self.service: dict[str, Any] = {}
        self.function: dict[str, Any] = {}
        self.automations = {}
        self.most_automations = 100
        """Maximum of concurrent automations
        (https://docs.aws.amazon.com/systems-manager/latest/userguide/adaptive-concurrency.html)."""
        self._tokens = {}
        self._crash = (0, "")
        self._writes = 0
        self.reset()
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

    def reset(self):
        """Returns to the state in which nothing has been restarted."""
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
        """Lets every restart complete."""
        for deployment in self.service["deployments"]:
            deployment["rolloutState"] = "COMPLETED"
        del self.service["deployments"][1:]
        self.function["LastUpdateStatus"] = "Successful"
        self.automations = dict.fromkeys(self.automations, "Success")

    def crash(self, number, when):
        """Ends the function `before` or `after` its write with this number."""
        self._crash, self._writes = (number, when), 0

    def deployment(self, deployment_id, seconds_ago=0.0, status="PRIMARY", rollout="COMPLETED", **more):
        """A deployment in DescribeServices' response."""
        created = datetime.now(UTC) - timedelta(seconds=seconds_ago) + self.clock_offset
        state = {"rolloutState": rollout} if rollout else {}
        counts = {"desiredCount": 2, "runningCount": 2}
        return {"id": deployment_id, "status": status, "createdAt": created, **counts, **state, **more}

    def describe_services(self, request):
        assert (request["cluster"], request["services"]) == ("shop", ["orders"])
        return {"services": [self.service], "failures": []}

    def update_service(self, request):
        assert request == {"cluster": "shop", "service": "orders", "forceNewDeployment": True}
        self.started[SERVICE] += 1
        for deployment in self.service["deployments"]:
            deployment["status"] = "ACTIVE"
        number = len(self.service["deployments"]) + 1
        self.service["deployments"].insert(0, self.deployment(f"ecs-svc/{number}", rollout="IN_PROGRESS"))
        return {"service": self.service}

    def get_function(self, request):
        return json.loads(json.dumps(self.function))

    def update_function(self, request):
        """Refused while the function is created or updated (https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html)."""
        if self.function["State"] == "Pending" or self.function["LastUpdateStatus"] == "InProgress":
            return refusal(self.aws, "ResourceConflictException", 409)
        if request["RevisionId"] != self.function["RevisionId"]:
            return self.aws.Refusal("PreconditionFailedException", 412)
        self.started[FUNCTION] += 1
        self.function |= {
            "RevisionId": f"revision-{self.started[FUNCTION]}",
            "LastUpdateStatus": "InProgress",
            "Environment": request["Environment"],
        }
        return dict(self.function)

    def start_automation(self, request):
        token = request["ClientToken"]
        assert request == {"DocumentName": "restart-orders", "ClientToken": token}
        if token in self._tokens and not self.repeats_automations:
            return self.aws.Refusal("IdempotentParameterMismatch")
        if token not in self._tokens and list(self.automations.values()).count("InProgress") >= self.most_automations:
            return refusal(self.aws, "AutomationExecutionLimitExceededException")
        if token not in self._tokens:
            self.started[DOCUMENT] += 1
            self._tokens[token] = AUTOMATION + str(len(self._tokens) + 1)
            self.automations[self._tokens[token]] = "InProgress"
        return {"AutomationExecutionId": self._tokens[token]}

    def get_automation(self, request):
        status = self.automations.get(request["AutomationExecutionId"])
        if status is None:
            return self.aws.Refusal("AutomationExecutionNotFoundException")
        return {"AutomationExecution": {"AutomationExecutionStatus": status}}

    def update_item(self, request):
        try:
            answer = self.aws.client("dynamodb").update_item(**request)
        except ClientError as error:
            return self.aws.Refusal(error.response["Error"]["Code"])
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def _crashing(self, answer):
        def answer_or_crash(request):
            self._writes += 1
            crash, when = self._crash
            if self._writes == crash and when == "before":
                raise Crash
            response = answer(request)
            if self._writes == crash:
                raise Crash
            return response

        return answer_or_crash


def refusal(aws, code, status=400):
    """AWS's refusal, with a message that must not be stored or logged."""
    answer = aws.Refusal(code, status)
    answer.body["Error"]["Message"] = f"Value {PASSWORD} is not allowed"
    return answer


def unreachable(name):
    """An answer to a call that does not reach AWS: boto3 raises this error."""

    def raise_error(request):
        raise getattr(exceptions, name)(**NETWORK_ERRORS[name])

    return raise_error


def entry(arn, state, handle="", why=""):
    """A restart in an incident's row."""
    return {"target": LABELS[arn], "arn": arn, "state": state, "why": why, "handle": handle}
