"""Builds the findings of AWS Security Hub: one for a secret that needs attention, and one for each incident.

They have the AWS Security Finding Format (https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html).
A finding is imported again under its Id when anything changes, and is archived once its cause is gone. What customers
manage, such as `Workflow`, a provider cannot change after the first import, and severity and types it states in
`FindingProviderFields`
(https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ..audit.status_events import STATUS_CHANGED
from ..event_parser import MalformedEvent
from ..remediation.notification_payload import RECOVERED, RESOLVED
from ..remediation.severity import Severity
from ..timestamps import to_iso
from .deliveries import Delivery
from .incidents import read_transition
from .statuses import build_status_row

SCHEMA_VERSION = "2018-10-08"
TYPE = "Software and Configuration Checks/AWS Security Best Practices"
ID_LENGTH, TITLE_LENGTH, DESCRIPTION_LENGTH, RECOMMENDATION_LENGTH = 512, 256, 1024, 512
"""Maximum lengths
(https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html)."""
REPEATED_DAYS = 2
"""How long the end of a finding is imported again, once a day: an event or an import may be lost."""
_NO_ISSUE, _LOW, _MEDIUM, _HIGH, _CRITICAL = "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"
_INCIDENT_LABELS: Mapping[str, str] = {
    Severity.OUTAGE: _CRITICAL,
    Severity.AT_RISK: _HIGH,
    Severity.RESOLVED: _NO_ISSUE,
    Severity.INFO: _NO_ISSUE,
}
_UNKNOWN = "unknown"

Finding = dict[str, Any]


def build_finding(delivery: Delivery, runbook_url: str) -> Finding | None:
    """The finding about what an event reports; None where there is nothing to say of it.

    Raises MalformedEvent if the event names no secret or no time.
    """
    if delivery.event.get("detail-type") == STATUS_CHANGED:
        return _build_status_finding(delivery, runbook_url)
    return _build_incident_finding(delivery, runbook_url)


def _build_status_finding(delivery: Delivery, runbook_url: str) -> Finding | None:
    """A secret that needs attention, by its verdict; archived once it does not, and within the days that follow."""
    status = build_status_row(delivery)
    since = status["since"] or status["checked_at"]
    needs_attention, is_gone = status["attention"] is not None, status["gone_since"] is not None
    if not needs_attention and not is_gone and _is_older(since, status["updated_at"]):
        return None
    is_unknown = status["status"] == _UNKNOWN
    name, verdict = status["secret_name"] or status["secret_arn"], status["verdict"] or _UNKNOWN
    label = (_LOW if is_unknown else _MEDIUM) if needs_attention else _NO_ISSUE
    return {
        **_describe(delivery, status["secret_arn"], "audit", status["secret_arn"]),
        "GeneratorId": f"rotation-guard/audit/{verdict}",
        "CreatedAt": _write_time(status["attention_since"] or since),
        "UpdatedAt": _write_time(status["updated_at"]),
        "Title": _shorten(f"Secret {name}: {verdict.replace('_', ' ')}", TITLE_LENGTH),
        "Description": _shorten(
            "The secret was deleted." if is_gone else status["reason"] or f"The verdict is {verdict}.",
            DESCRIPTION_LENGTH,
        ),
        **_rate(label, verdict, "WARNING" if is_unknown else "FAILED", is_over=not needs_attention),
        **_recommend("Rotate the secret, repair its rotation, or exempt it with a reason.", runbook_url),
        "ProductFields": _list_fields({"owner": status["owner"], "verdict": verdict, "secret": status["secret_name"]}),
    }


def _build_incident_finding(delivery: Delivery, runbook_url: str) -> Finding:
    """An incident of a failed rotation; archived once the secret has recovered or has a new value."""
    transition = read_transition(delivery, runbook_url)
    payload, notification = transition.payload, transition.build_notification()
    summary = " ".join(part for part in (payload["reason"], notification.payload["next"]) if part)
    severity = str(payload["severity"])
    return {
        **_describe(delivery, payload["secret_arn"], "incident", payload["secret_arn"], payload["opened_at"]),
        "GeneratorId": f"rotation-guard/incident/{payload['kind'] or _UNKNOWN}",
        "CreatedAt": _write_time(payload["opened_at"]),
        "UpdatedAt": _write_time(transition.occurred_at),
        "Title": _shorten(notification.subject, TITLE_LENGTH),
        "Description": _shorten(summary or notification.subject, DESCRIPTION_LENGTH),
        **_rate(_INCIDENT_LABELS[severity], severity, "FAILED", is_over=transition.name in (RECOVERED, RESOLVED)),
        **_recommend(notification.payload["next"] or "See the runbook.", payload["links"]["runbook"]),
        "ProductFields": _list_fields(
            {
                "owner": payload["owner"],
                "transition": transition.name,
                "outcome": payload["outcome"],
                "execution": payload["execution"],
            }
        ),
    }


def _describe(delivery: Delivery, secret_arn: str, kind: str, *identity: str) -> Finding:
    """What identifies a finding: its Id is the same whenever it is imported again."""
    _, partition, _, region, account, *_ = secret_arn.split(":")
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    return {
        "SchemaVersion": SCHEMA_VERSION,
        "Id": f"rotation-guard/{kind}/{region}/{account}/{digest}",
        "ProductArn": f"arn:{partition}:securityhub:{region}:{account}:product/{account}/default",
        "AwsAccountId": delivery.account,
        "Types": [TYPE],
        "Resources": [
            {"Type": "AwsSecretsManagerSecret", "Id": secret_arn, "Partition": partition, "Region": region},
        ],
    }


def _rate(label: str, original: str, status: str, *, is_over: bool) -> Finding:
    severity = {"Label": label, "Original": original[:64]}
    return {
        "Severity": severity,
        "FindingProviderFields": {"Severity": severity, "Types": [TYPE]},
        "Compliance": {"Status": "PASSED" if is_over else status},
        "RecordState": "ARCHIVED" if is_over else "ACTIVE",
    }


def _recommend(text: str, url: str) -> Finding:
    recommendation = {"Text": _shorten(text, RECOMMENDATION_LENGTH), **({"Url": url} if url else {})}
    return {"Remediation": {"Recommendation": recommendation}}


def _list_fields(fields: Mapping[str, str | None]) -> Mapping[str, str]:
    return {f"rotation-guard/{name}": value for name, value in fields.items() if value}


def _is_older(since: str, until: str) -> bool:
    return datetime.fromisoformat(until) - datetime.fromisoformat(since) > timedelta(days=REPEATED_DAYS)


def _write_time(text: str | None) -> str:
    """A time in UTC, as Security Hub wants it. Raises MalformedEvent without one."""
    if text is None:
        raise MalformedEvent("a finding must have a time")
    return to_iso(datetime.fromisoformat(text))


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
