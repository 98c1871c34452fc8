"""Next steps after an escalation, by the rule that stopped the repair."""

from collections.abc import Callable

from . import commands
from .diagnosis import UNKNOWN_SECRET
from .notification_payload import Payload
from .repair_steps import (
    MAXIMUM_COMMANDS,
    Step,
    Steps,
    handle_unsupported,
    has_broken_workflow,
    has_failed_restart,
    repair_and_rotate,
    repair_and_test,
    rotate,
)
from .restarts import RestartState

_ROTATION_OFF = "Rotation was switched off"
_REFUSED = ("RotateSecret was", "UpdateSecretVersionStage was", "AWSCURRENT was not moved")
"""The beginning of an action's outcome if AWS refused the repair."""


def list_escalation_steps(payload: Payload) -> Steps:
    """The next steps after this escalation."""
    if has_broken_workflow(payload):
        return _repair_workflow(payload)
    if has_failed_restart(payload):
        return _restart_dependents(payload)
    repairs = [action for action in payload["actions"] if action["action"] != "restart"]
    last: Payload = repairs[-1] if repairs else {}
    outcome = last.get("outcome") or ""
    if outcome.startswith(_ROTATION_OFF):
        return _RULES["rotation off"](payload)
    if outcome.startswith(_REFUSED):
        return _repair_access(payload, outcome)
    return _RULES.get(last.get("rule") or "", repair_and_rotate)(payload)


def _repair_workflow(payload: Payload) -> Steps:
    find = (
        Step("See which step failed and why. Often its role lacks a permission:", (commands.read_errors(payload),))
        if payload["execution"]
        else Step("Look in the execution for the step that failed. Often its role lacks a permission.")
    )
    text = (
        "Repair the cause. rotation-guard does not continue this incident; the next failure opens a new one. To rotate "
        "now:"
    )
    return [find, rotate(payload, text)]


def _restart_dependents(payload: Payload) -> Steps:
    names = [
        entry["target"] or "?"
        for entry in payload["restarts"]
        if entry["state"] not in (RestartState.SETTLED, RestartState.REFUSED)
    ]
    restarts = tuple(line for name in names[:MAXIMUM_COMMANDS] for line in commands.restart(payload, name))
    text = "AWSCURRENT has moved, and these dependents may still use the old value. Find out why, then restart them: "
    return [Step(f"{text}{', '.join(names)}.", restarts)]


def _repair_access(payload: Payload, outcome: str) -> Steps:
    if "ResourceNotFoundException" in outcome or UNKNOWN_SECRET in outcome:
        return handle_unsupported(payload, UNKNOWN_SECRET)
    if "access denied" not in outcome:
        text = "Find out why Secrets Manager refuses it, repair the cause, then rotate:"
        return [Step(text, (commands.describe(payload), commands.rotate(payload)))]
    functions = " For a retry, its rotation function must be in rotationFunctions." if "RotateSecret" in outcome else ""
    return [
        Step("Access was denied. Check the secret's resource policy first:", (commands.read_policy(payload),)),
        Step(f"Then check its tag rotation-guard:remediation.{functions}", (commands.describe(payload, "Tags"),)),
        rotate(payload, "Once that is repaired, rotate:"),
    ]


def _compare_versions(payload: Payload) -> Steps:
    now = payload["now"]
    versions = [version for version in (now["current"], now["previous"]) if version]
    text = (
        "The probe said that a version works, and after the move that it does not. Log in with both versions yourself. "
        "These commands print their values:"
    )
    return [
        Step(text, tuple(commands.read_value(payload, version) for version in versions)),
        Step("Then repair the probe, or the password."),
    ]


def _set_password(payload: Payload) -> Steps:
    now = payload["now"]
    version, label = (now["pending"], "AWSPENDING") if now["pending"] else (now["current"], "AWSCURRENT")
    fallback = "If that version has no value, use that of AWSCURRENT. " if now["pending"] else ""
    text = (
        "Log in as the database's administrator, and set the user's password to the value of "
        f"{label}. {fallback}To print it:"
    )
    versions = [each for each in dict.fromkeys((version, now["current"])) if each]
    return [
        Step(text, tuple(commands.read_value(payload, each) for each in versions)),
        rotate(payload, "Then rotate:"),
    ]


def _restore_current(payload: Payload) -> Steps:
    now = payload["now"]
    versions = [version for version in (now["pending"], now["previous"]) if version]
    moves = tuple(commands.move_current(payload, version) for version in versions)
    return [
        Step("Applications cannot read the secret. List its versions:", (commands.list_versions(payload),)),
        Step("Log in with one of them, then move AWSCURRENT to it:", moves),
    ]


_RULES: dict[str, Callable[[Payload], Steps]] = {
    "moved in vain": _compare_versions,
    "untouchable": lambda payload: handle_unsupported(payload, payload["reason"] or ""),
    "test only": lambda payload: repair_and_test(payload),
    "exhausted": lambda payload: [
        Step("See which decisions were repeated:", (commands.show_incident(payload),)),
        *repair_and_rotate(payload),
    ],
    "stopped": lambda payload: [
        *repair_and_rotate(payload),
        Step("See who stopped repairs, and why:", (commands.show_switch(),)),
        Step("To allow repairs of later failures again:", (commands.allow_repairs(),)),
    ],
    "orphaned": lambda payload: [
        Step("Find out why it keeps failing:", (commands.show_incident(payload),)),
        *repair_and_rotate(payload),
        Step("Then release the secret, so that repairs are no longer suspended:", (commands.release(payload),)),
    ],
    "notify": lambda payload: [
        *repair_and_rotate(payload),
        Step(
            "To have rotation-guard do this next time, tag the secret rotation-guard:remediation=retry, and set "
            "remediationMode to retry or repair."
        ),
    ],
    "no AWSCURRENT": _restore_current,
    "nothing works": _set_password,
    "rotation off": lambda payload: [
        Step(
            "Find out who switched its rotation off, and why.", (commands.find_events(payload, "CancelRotateSecret"),)
        ),
        rotate(payload, "To switch it on again and rotate immediately:"),
    ],
    "retries used up": repair_and_rotate,
}
"""Rule of `decisions` -> its next steps."""
