"""What people read when a rotation failed: short, and useful on a phone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .rotation import SECRETS_MANAGER_SOURCES, RotationEvent, name_of

SUBJECT_LENGTH = 99
"""SNS takes fewer than 100 characters, printable ASCII (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""

_UNPRINTABLE = re.compile(r"[^ -~]")
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_HAPPENED = {
    "RotationFailed": "failed",
    "RotationAbandoned": "was abandoned",
    "TestRotationFailed": "failed its test",
    "Rotation Stuck": "is stuck",
}


@dataclass(frozen=True)
class Notice:
    """A subject of one line, and a text."""

    subject: str
    text: str


def failure_notice(
    failure: RotationEvent, versions: Mapping[str, Any] | None, execution: str, opened_at: str | None, mode: str
) -> Notice:
    """The notice for a failed rotation; `versions` are the secret's labels by version, where they are known."""
    name = name_of(failure.secret_arn) if failure.secret_arn else "an unnamed secret"
    happened = _HAPPENED.get(failure.kind, f"reported {failure.kind}")
    step = f" at {failure.failed_step}" if failure.failed_step else ""
    lines = [
        f"The rotation of {name} {happened}{step}.",
        "",
        f"When: {failure.occurred_at} ({failure.kind})",
        f"{_speaker(failure)}: {failure.error_message or 'nothing about the cause'}",
        f"Done so far: nothing but this notice (remediation mode {mode}, which this release does not act on).",
        f"Now: {_labels(versions)}",
        f"Next: {_advice(failure)}",
    ]
    if failure.secret_arn:
        lines.append(f"Secret: {_secret_link(failure.secret_arn)}")
    lines.append(f"Execution: {_execution_link(execution)}")
    if opened_at:
        lines.append(f"Incident: {failure.secret_arn} opened {opened_at}")
    return Notice(_subject(f"Rotation {happened}: {name}{step}"), "\n".join(lines))


def _speaker(failure: RotationEvent) -> str:
    return "AWS says" if failure.source in SECRETS_MANAGER_SOURCES else "The audit says"


def _subject(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)[:SUBJECT_LENGTH]


def _labels(versions: Mapping[str, Any] | None) -> str:
    if versions is None:
        return "the secret's labels could not be read."
    held = {label: version for version, labels in versions.items() for label in labels}
    if "AWSCURRENT" not in held:
        return "no version holds AWSCURRENT."
    parts = [f"AWSCURRENT is on version {held['AWSCURRENT']}, which is what applications read"]
    pending = held.get("AWSPENDING")
    if pending and pending != held["AWSCURRENT"]:
        parts.append(f"AWSPENDING is on version {pending}: the rotation is unfinished")
    return "; ".join(parts) + "."


def _advice(failure: RotationEvent) -> str:
    if failure.secret_arn is None:
        return "look into the event on the failures topic: it does not name its secret."
    if failure.failed_step in (None, "createSecret"):
        return "read the log of the rotation function. AWS tries again by itself within the rotation window."
    return (
        "read the log of the rotation function, and do not clear AWSPENDING: it may hold the only copy of a password "
        "that is live already. AWS tries again by itself within the rotation window."
    )


def _console(arn: str) -> tuple[str, str]:
    _, partition, _, region, *_ = arn.split(":")
    return f"https://{region}.{_CONSOLES.get(partition, _CONSOLES['aws'])}", region


def _secret_link(secret_arn: str) -> str:
    host, region = _console(secret_arn)
    return f"{host}/secretsmanager/secret?name={quote(name_of(secret_arn), safe='')}&region={region}"


def _execution_link(execution: str) -> str:
    host, region = _console(execution)
    return f"{host}/states/home?region={region}#/v2/executions/details/{execution}"
