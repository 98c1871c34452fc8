"""Steps by which an engineer repairs a rotation; `next_steps` and `escalation_steps` put them in order."""

from dataclasses import dataclass

from ..rotation_event import TEST_ROTATION_FAILED
from . import commands
from .decisions import Proof
from .diagnosis import MARKED_FOR_DELETION, REPLICA, UNKNOWN_SECRET, UNREADABLE_SECRET
from .notification_payload import (
    ESCALATED,
    OPENED,
    RATE_LIMITED,
    REMINDER,
    RESOLVED,
    RETRIED,
    Payload,
)
from .restarts import RestartState

MAXIMUM_COMMANDS = 5
"""Maximum number of dependents, and of secrets in a digest, with commands."""
_PASSWORD_STEPS = {"setSecret", "testSecret", "finishSecret"}
"""From these steps on the password may have changed, and AWSPENDING may be its only copy."""
BROKEN_WORKFLOW = "A step of the workflow failed for good"
"""The beginning of the reason when a step failed."""


@dataclass(frozen=True)
class Step:
    """One step of a procedure."""

    text: str
    """One or more sentences."""
    commands: tuple[str, ...] = ()
    """Shell commands, each on one line."""

    @property
    def sentence(self) -> str:
        """The text without a colon at its end, for use without the commands."""
        return f"{self.text[:-1]}." if self.text.endswith(":") else self.text


Steps = list[Step]


def end_outage(payload: Payload) -> Steps:
    """Move AWSCURRENT to a version that is proven to work, if remediation will not."""
    now = payload["now"]
    proofs = now["evidence"] or {}
    if proofs.get("current") != Proof.BROKEN or payload["turn"] == OPENED:
        return []
    if proofs.get("pending") == Proof.WORKS and now["pending"]:
        text = "A probe proved that AWSPENDING works. To end the outage, move AWSCURRENT there, which completes the "
        return [Step(f"{text}rotation:", (commands.move_current(payload, now["pending"]),))]
    if proofs.get("previous") == Proof.WORKS and now["previous"]:
        text = "A probe proved that AWSPREVIOUS works. To end the outage, move AWSCURRENT back to that older value:"
        return [Step(text, (commands.move_current(payload, now["previous"]),))]
    return []


def keep_pending(payload: Payload) -> Steps:
    """Warn against clearing AWSPENDING while it may hold the password in use."""
    if payload["turn"] not in (OPENED, ESCALATED, RATE_LIMITED, REMINDER, RESOLVED) or payload["unreadable"]:
        return []
    # The test of a rotation sets no password, and createSecret only stores the new one.
    is_set = bool(_PASSWORD_STEPS & {*payload["failed_steps"]}) and payload["kind"] != TEST_ROTATION_FAILED
    is_unknown = not payload["failed_steps"] and payload["now"]["pending"] is not None
    is_complete = payload["turn"] == RESOLVED or has_failed_restart(payload)
    if is_complete and payload["now"]["pending"] is None:
        return []
    if not is_set and not is_unknown:
        return []
    return [Step("Do not clear AWSPENDING: it may be the only copy of a password that is already in use.")]


def has_failed_restart(payload: Payload) -> bool:
    """Whether a restart of dependents failed, and not a rotation."""
    is_unsettled = any(
        entry["state"] not in (RestartState.SETTLED, RestartState.REFUSED) for entry in payload["restarts"]
    )
    return payload["turn"] in (ESCALATED, REMINDER) and is_unsettled and not has_broken_workflow(payload)


def has_broken_workflow(payload: Payload) -> bool:
    """Whether a step of the workflow failed."""
    return bool(payload["error"]) or (payload["reason"] or "").startswith(BROKEN_WORKFLOW)


def has_outdated_dependent(payload: Payload) -> bool:
    """Whether somebody has to restart a dependent."""
    return any(entry["state"] == RestartState.REFUSED for entry in payload["restarts"])


def restart_outdated(payload: Payload) -> Steps:
    """Restart the dependents that remediation did not restart."""
    if payload["turn"] == RETRIED:
        return []
    names = [entry["target"] or "?" for entry in payload["restarts"] if entry["state"] == RestartState.REFUSED]
    if not names:
        return []
    restarts = tuple(line for name in names[:MAXIMUM_COMMANDS] for line in commands.restart(payload, name))
    return [Step(f"Restart the dependents that were not restarted: {', '.join(names)}.", restarts)]


def read_log(payload: Payload, since: str | None = None) -> Step:
    """Read the rotation function's log."""
    at = f" at {payload['failed_step']}" if payload["failed_step"] else ""
    if not payload["function"]:
        if not payload["secret_arn"]:
            return Step("Read the log of the rotation function.")
        text = f"Read the log of the rotation function{at}. This command prints the function's ARN:"
        return Step(text, (commands.describe(payload, "RotationLambdaARN"),))
    text = (
        f"Read the log of the rotation function {payload['function'].split(':')[6]}{at}. It is in "
        f"{payload['log_group']}, unless the function's configuration names another log group:"
    )
    return Step(text, (commands.read_log(payload, since or payload["last_failure_at"] or payload["occurred_at"]),))


def rotate(payload: Payload, text: str) -> Step:
    """Rotate the secret."""
    if payload["is_rotation_enabled"] is False and "switch" not in text:
        text = f"Its rotation is switched off, and rotating switches it on again. {text}"
    return Step(text, (commands.rotate(payload),) if payload["secret_arn"] else ())


def repair_and_rotate(payload: Payload) -> Steps:
    """Find and repair the cause, then rotate."""
    if not payload["function"] and payload["unreadable"]:
        return handle_unsupported(payload, payload["unreadable"])
    text = "Repair the cause, then rotate. If a rotation is unfinished, AWS retries that one:"
    return [read_log(payload), rotate(payload, text)]


def repair_and_test(payload: Payload) -> Steps:
    """Repair the cause, then test the rotation's settings again."""
    test = (commands.try_rotation(payload),) if payload["secret_arn"] else ()
    return [read_log(payload), Step("Nothing was rotated. Repair the cause, and test again:", test)]


def handle_unsupported(payload: Payload, reason: str) -> Steps:
    """Repair a secret that cannot be read, or that remediation cannot repair, for this reason."""
    if reason == UNKNOWN_SECRET:
        return [
            Step(
                "If applications still use the secret, they cannot read it: create it again with a value that works. "
                "If not, no action is required. To see who deleted secrets in the last 90 days:",
                (commands.find_deletions(payload),),
            )
        ]
    if reason == UNREADABLE_SECRET:
        return [
            Step("Access was denied. Check the secret's resource policy first:", (commands.read_policy(payload),)),
            Step(
                "Then check what limits the roles of rotation-guard: a permissions boundary, or a service control "
                "policy."
            ),
            rotate(payload, "Nothing was repaired. To rotate the secret yourself:"),
        ]
    if reason == MARKED_FOR_DELETION:
        return [
            Step(
                "Applications cannot read it. If any of them still uses it, restore it:", (commands.restore(payload),)
            ),
            Step("If not, no action is required."),
        ]
    if reason.startswith(REPLICA):
        return [Step("Repair it in its primary Region; its value is replicated from there.")]
    text = "Repair it where it is rotated: in the service or by the partner that owns it."
    return [Step(text, (commands.describe(payload),))]
