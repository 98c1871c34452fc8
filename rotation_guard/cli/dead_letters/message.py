"""The Report of one dead letter: everything that it says."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rotation_guard.domain.dead_letters.dead_letter import DeadLetter
from rotation_guard.domain.dead_letters.subjects import describe_loss, find_subject
from rotation_guard.domain.remediation.links import build_secret_link

from ..deployment import Deployment
from ..incident_report import headline, report_body
from ..report import Records, Report
from .listing import format_iso, to_json
from .survey import QueueReading, Survey

_SHOWN_BODY = 4_000
"""Characters of a body that the terminal shows; JSON has all of it."""


def build_message(
    letter: DeadLetter,
    reading: QueueReading,
    destination: str,
    survey: Survey,
    deployment: Deployment,
    now: datetime,
) -> Report:
    """The Report of one message; `destination` says where redrive sends it, or why nowhere."""
    subject, cause = find_subject(letter), letter.cause
    loss = describe_loss(letter, subject)
    expires_at = format_iso(reading.expires_at(letter.sent_at))
    fields = to_json(letter) | {
        "explanation": cause.explanation,
        "remedy": cause.remedy,
        "source": cause.source or None,
        "missing": loss,
        "redrive": destination,
        "expires_at": expires_at,
        "attributes": dict(letter.attributes),
        "body": letter.body,
    }
    link = build_secret_link(subject.secret_arn) if subject.secret_arn else ""
    rows = [[name, json.dumps(value) if isinstance(value, dict) else value] for name, value in fields.items()]
    records = Records(("field", "value"), rows)
    return Report(
        headline=f"{headline(deployment, now)}, one dead letter.",
        title=f"{letter.queue}, {letter.message_id}: {cause.code}. {cause.explanation}",
        facts=[(label, text) for label, text in _facts(letter, fields) if text],
        links=[("Secret", link)] if link else [],
        columns=(),
        rows=(),
        summary=loss,
        next_steps=cause.remedy,
        body=report_body(deployment, now, message=fields) | {"warnings": [*survey.warnings]},
        csv=records,
        markdown=records,
        warnings=survey.warnings,
        has_attention=True,
    )


def _facts(letter: DeadLetter, fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    secret, event = fields["secret_arn"] or fields["secret_name"], fields["event"]
    occurred = f" at {fields['occurred_at']}" if fields["occurred_at"] else ""
    yield "About", ", ".join(part for part in (event and f"{event}{occurred}", secret) if part)
    until = f"; SQS deletes it at {fields['expires_at']}" if fields["expires_at"] else ""
    yield "Sent", f"{fields['sent_at']}, received {_times(letter.receives)}{until}" if fields["sent_at"] else ""
    yield "Sender", str(letter.sender)
    yield "From", "" if letter.origin_arn == letter.target_arn else letter.origin_arn
    yield "For", letter.target_arn
    yield "Error message", letter.error_message
    yield "Retries", ", ".join(part for part in (letter.retries, letter.exhausted_condition) if part)
    yield "Redrive", fields["redrive"]
    shown = {
        *(value for value in fields.values() if isinstance(value, str)),
        letter.retries,
        letter.exhausted_condition,
    } - {None}
    for name, value in sorted(letter.attributes.items()):
        if value not in shown:
            yield f"Attribute {name}", value
    more = f" ... ({len(letter.body)} characters; --format json shows all)" if len(letter.body) > _SHOWN_BODY else ""
    yield "Body", f"{letter.body[:_SHOWN_BODY]}{more}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
