"""The configurations whose output is validated: our two stacks, every setting at once, and the limits of settings."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from components.settings.configuration import camel
from local.mocks.recording import Recording, deploy_program, stack_config
from tests.components.samples.everything import EVERYTHING

_HERE = "eu-west-1:111122223333"
FILTER = {"severity": ["OUTAGE", {"prefix": "AT"}], "owner": [{"anything-but": ["nobody"]}]}
LIMITS: Mapping[str, tuple[Any, Any]] = {
    "schedule_flexible_minutes": (0, 1440),
    "max_age_days": (0, 3650),
    "warn_days": (0, 3650),
    "stuck_hours": (1, 8760),
    "missed_hours": (1, 8760),
    "max_overdue": (0, 500_000),
    "queue_retention_days": (1, 14),
    "dead_letter_retention_days": (1, 14),
    "history_days": (0, 3650),
    "log_retention_days": (1, 3653),
    "settle_minutes": (0, 1440),
    "retry_base_minutes": (1, 1440),
    "retry_cap_minutes": (1, 1440),
    "max_retries": (0, 10),
    "breaker_threshold": (1, 100),
    "max_actions_per_hour": (0, 50),
    "reserved_concurrency": (0, 100),
    "probe_timeout_seconds": (1, 30),
    "restart_debounce_seconds": (0, 3600),
    "restart_timeout_minutes": (1, 4320),
}
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
    "everything": ("prod", {camel(name): value for name, value in EVERYTHING.items()}),
    "least": ("dev", {camel(name): least for name, (least, _) in LIMITS.items()}),
    # A run every other day: the window of a schedule has to be over before the next run.
    "most": ("dev", {camel(name): most for name, (_, most) in LIMITS.items()} | {"scheduleExpression": "rate(2 days)"}),
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
