"""The configurations whose output is validated: our two stacks, every setting at once, and the limits of settings."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from components.settings.checks import IntegerBetween
from components.settings.declarations import SETTINGS
from components.settings.setting import to_camel_case
from components.settings.stack import LOG_RETENTION_DAYS
from local.mocks.recording import Recording, deploy_program, stack_config
from tests.components.samples.everything import EVERYTHING

_HERE = "eu-west-1:111122223333"
FILTER = {"severity": ["OUTAGE", {"prefix": "AT"}], "owner": [{"anything-but": ["nobody"]}]}
LIMITS: Mapping[str, tuple[int, int]] = {
    name: (setting.check.low, setting.check.high)
    for name, setting in SETTINGS.items()
    if isinstance(setting.check, IntegerBetween)
} | {"log_retention_days": (min(LOG_RETENTION_DAYS), max(LOG_RETENTION_DAYS))}
"""A setting -> the least and the most that it may be."""
_SUBSCRIPTIONS = [
    {"topic": "failures", "protocol": "http", "endpoint": "http://example.com/hook"},
    {"topic": "failures", "protocol": "https", "endpoint": "https://example.com/hook", "filterPolicy": FILTER},
    {"topic": "failures", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{_HERE}:inbox", "rawMessageDelivery": True},
    {"topic": "remediation", "protocol": "email", "endpoint": "team@example.com"},
    {"topic": "remediation", "protocol": "email-json", "endpoint": "robot@example.com", "filterPolicy": FILTER},
    {"topic": "remediation", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{_HERE}:inbox", "filterPolicy": FILTER},
    {"topic": "remediation", "protocol": "lambda", "endpoint": f"arn:aws:lambda:{_HERE}:function:pager"},
    {"topic": "critical", "protocol": "sms", "endpoint": "+15551234567"},
    {"topic": "critical", "protocol": "application", "endpoint": f"arn:aws:sns:{_HERE}:endpoint/GCM/app/5e3e9847"},
    {
        "topic": "critical",
        "protocol": "firehose",
        "endpoint": f"arn:aws:firehose:{_HERE}:deliverystream/archive",
        "subscriptionRoleArn": "arn:aws:iam::111122223333:role/sns-to-firehose",
    },
]
EXTRA_RULES = [
    {
        "name": "instances-of-the-company",  # The longest that there may be.
        "eventPattern": {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": [{"anything-but": ["running", "pending"]}]},
        },
        "to": "failures",
    },
    {
        "name": "orders",
        "eventPattern": {
            "source": [{"prefix": "aws."}],
            "$or": [
                {"resources": [{"wildcard": "arn:aws:secretsmanager:*:secret:orders/*"}]},
                {"detail": {"additionalEventData": {"SecretId": [{"wildcard": "*:secret:orders/*"}]}}},
            ],
        },
        "to": "audit",
    },
    {
        "name": "office",
        "eventPattern": {
            "detail-type": [{"equals-ignore-case": "aws api call via cloudtrail"}],
            "detail": {"sourceIPAddress": [{"cidr": "203.0.113.0/24"}], "errorCode": [{"exists": False}]},
        },
        "to": "both",
    },
]
"""Rules with several kinds of comparison: instances that stop, whatever AWS says of the secrets below orders/, and
calls that succeed from one network."""

_SETTINGS: Mapping[str, tuple[str | None, Mapping[str, Any]]] = {
    "defaults": (None, {}),
    "dev": ("dev", {}),
    "prod": ("prod", {}),
    "everything": ("prod", {to_camel_case(name): value for name, value in EVERYTHING.items()}),
    "least": ("dev", {to_camel_case(name): least for name, (least, _) in LIMITS.items()}),
    # A run every other day: the window of a schedule has to be over before the next run.
    "most": (
        "dev",
        {to_camel_case(name): most for name, (_, most) in LIMITS.items()} | {"scheduleExpression": "rate(2 days)"},
    ),
    "subscriptions": ("prod", {"subscriptions": _SUBSCRIPTIONS}),
    "extra-rules": ("prod", {"extraRules": EXTRA_RULES}),
    "notify": ("dev", {"remediationMode": "notify"}),
    "retry": ("dev", {"remediationMode": "retry"}),
    "cron": ("prod", {"scheduleExpression": "cron(0 6 ? * MON-FRI *)", "scheduleTimezone": "Asia/Kathmandu"}),
}
CONFIGURATIONS = tuple(_SETTINGS)


def read_config(name: str) -> dict[str, str]:
    """The configuration as the engine hands it to the program."""
    stack, settings = _SETTINGS[name]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return {**stack_config(stack), **{f"rotation-guard:{key}": text for key, text in texts.items()}}


@cache
def record(name: str) -> Recording:
    """What the program asks for in this configuration."""
    return deploy_program(read_config(name), stack=_SETTINGS[name][0] or "test")
