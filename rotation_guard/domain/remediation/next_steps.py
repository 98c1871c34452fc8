"""The next steps in a notification, in order, by what is known about the incident."""

from collections.abc import Callable

from ..rotation_event import FAILURES, ROTATION_STUCK, TEST_ROTATION_FAILED
from . import commands
from .escalation_steps import list_escalation_steps
from .incidents import Outcome
from .notification_payload import (
    DIGEST,
    ESCALATED,
    MISSING,
    OPENED,
    RATE_LIMITED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    Payload,
)
from .repair_steps import (
    MAXIMUM_COMMANDS,
    Step,
    Steps,
    end_outage,
    handle_unsupported,
    has_outdated_dependent,
    keep_pending,
    read_log,
    repair_and_test,
    restart_outdated,
    rotate,
)
from .severity import Severity


def list_next_steps(payload: Payload) -> Steps:
    """The next steps for this payload, the most urgent first."""
    is_over = payload["turn"] in (RECOVERED, RESOLVED, RESTARTED, RETRIED)
    return [
        *([] if is_over else end_outage(payload)),
        *_TRANSITIONS[payload["turn"]](payload),
        *keep_pending(payload),
        *restart_outdated(payload),
    ]


def format_next_steps(payload: Payload) -> str:
    """The next steps as one text, with each command after its sentence."""
    return " ".join(
        part
        for step in list_next_steps(payload)
        # Without a mark the next sentence would seem to be an argument.
        for part in (step.text, *(f"`{command}`." for command in step.commands))
    )


def _after_opening(payload: Payload) -> Steps:
    if reason := payload["unreadable"] or payload["reason"]:
        return handle_unsupported(payload, reason)
    if payload["kind"] == TEST_ROTATION_FAILED:
        return repair_and_test(payload)
    begin = "AWS retries by itself, then" if payload["kind"] == "RotationFailed" else "After settleMinutes"
    return [
        Step(f"{begin} rotation-guard diagnoses the secret. Another notification follows when the incident ends."),
        read_log(payload),
    ]


def _after_rate_limit(payload: Payload) -> Steps:
    cause = Step("Repair the common cause of the failures. AWS's next retry then succeeds.")
    limit = Step("If the limit is too low, raise maxActionsPerHour.")
    if payload["turn"] == RATE_LIMITED:
        return [cause, rotate(payload, "If it is still stuck in an hour, rotate it:"), limit]
    secrets = [secret for secret in payload["held"]["secrets"] if secret["secret_arn"]]
    rotations = tuple(commands.rotate(payload, secret["secret_arn"]) for secret in secrets[:MAXIMUM_COMMANDS])
    which = "these, and likewise the others" if payload["held"]["count"] > len(rotations) else "them"
    outages = [secret for secret in secrets if secret.get("severity") == Severity.OUTAGE][:MAXIMUM_COMMANDS]
    proven = "See what the probe proved about the outages. Where AWSPENDING works, move AWSCURRENT there:"
    return [
        *([Step(proven, tuple(commands.show_incident(secret) for secret in outages))] if outages else []),
        cause,
        Step("List them all:", (commands.list_rate_limited(),)),
        Step(f"If they are still stuck in an hour, rotate {which}:", rotations),
        limit,
    ]


def _after_recovery(payload: Payload) -> Steps:
    is_outdated = has_outdated_dependent(payload)
    if payload["outcome"] == Outcome.ROLLED_FORWARD:
        begin = "Nothing is lost." if is_outdated else "No action required: nothing is lost."
        step = Step(f"{begin} The rotation failed after it had changed the password.")
        return [step, read_log(payload, payload["occurred_at"])]
    if payload["outcome"] == Outcome.ROLLED_BACK:
        text = (
            "Applications work with the previous value. Before the next rotation, find out what happened to the value "
            "that should be in use."
        )
        return [Step(text), read_log(payload, payload["occurred_at"])]
    if payload["now"]["pending"]:
        return _finish_rotation(payload)
    begin = "A new value is in use." if is_outdated else "No action required."
    return [Step(f"{begin} If this happens again, look for the cause:"), read_log(payload, payload["occurred_at"])]


def _finish_rotation(payload: Payload) -> Steps:
    text = (
        f"A new value is in use, but AWSPENDING is still on version {payload['now']['pending']}: a rotation is "
        "unfinished. Unless one is running right now, finish it:"
    )
    return [rotate(payload, text)]


def _after_resolution(payload: Payload) -> Steps:
    if payload["now"]["pending"]:
        return _finish_rotation(payload)
    return [] if has_outdated_dependent(payload) else [Step("No action required.")]


def _after_restart(payload: Payload) -> Steps:
    if not has_outdated_dependent(payload):
        return [Step("No action required: no rotation failed.")]
    return [Step("No rotation failed, but dependents that were not restarted may keep the old value.")]


def _after_lost_record(payload: Payload) -> Steps:
    text = "See which version has which label, and whether AWSPENDING is on a version of its own:"
    return [
        Step(text, (commands.describe(payload),)),
        Step(
            "Somebody deleted the row, or the table was restored to an earlier time. The next failure opens a new "
            "incident."
        ),
    ]


def _find_event(payload: Payload) -> Steps:
    text = "Look at the whole event: it is on the failures topic, in the audit trail, and in CloudTrail."
    is_in_cloudtrail = payload["kind"] in FAILURES and payload["kind"] != ROTATION_STUCK
    return [Step(text, (commands.find_events(payload, payload["kind"]),) if is_in_cloudtrail else ())]


_TRANSITIONS: dict[str, Callable[[Payload], Steps]] = {
    OPENED: _after_opening,
    RETRIED: lambda _: [Step("No action required: rotation-guard watches the retry.")],
    RECOVERED: _after_recovery,
    RESTARTED: _after_restart,
    ESCALATED: list_escalation_steps,
    REMINDER: list_escalation_steps,
    RESOLVED: _after_resolution,
    MISSING: _after_lost_record,
    RATE_LIMITED: _after_rate_limit,
    DIGEST: _after_rate_limit,
    UNIDENTIFIED: _find_event,
}
