"""What to do next, for whoever reads a notice: steps in order, by what is known of the incident."""

from collections.abc import Callable
from dataclasses import dataclass

from ..rotation_event import FAILURES, ROTATION_STUCK, TEST_ROTATION_FAILED
from . import commands
from .decisions import Proof
from .diagnosis import MARKED_FOR_DELETION, REPLICA, UNKNOWN_SECRET, UNREADABLE_SECRET
from .incidents import Outcome
from .notification_payload import (
    ESCALATED,
    HELD,
    HELD_BURST,
    MISSING,
    OPENED,
    RECOVERED,
    REMINDER,
    RESOLVED,
    RESTARTED,
    RETRIED,
    UNIDENTIFIED,
    Facts,
)
from .restarts import RestartState
from .severity import Severity

RESTARTS_SHOWN = 5
"""Of how many dependents the commands are shown, and of how many secrets in a burst."""
_SETTING = {"setSecret", "testSecret", "finishSecret"}
"""From here on the password may be another one already, and AWSPENDING alone knows it."""
_BROKEN = "A step of the workflow failed for good"
_OFF = "Rotation was switched off"
_NOT_DONE = ("RotateSecret was", "UpdateSecretVersionStage was", "AWSCURRENT was not moved")
"""How the sentence begins that says why AWS did not carry out a repair."""


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    text: str
    """A sentence or some."""
    commands: tuple[str, ...] = ()
    """Each on one line, for a shell."""

    @property
    def sentence(self) -> str:
        """The text where no command follows it."""
        return f"{self.text[:-1]}." if self.text.endswith(":") else self.text


Steps = list[Step]


def next_steps(facts: Facts) -> Steps:
    """What to do next, given these facts, the most urgent first."""
    is_over = facts["turn"] in (RECOVERED, RESOLVED, RESTARTED, RETRIED)
    return [
        *([] if is_over else _end_outage(facts)),
        *_TURNS[facts["turn"]](facts),
        *_keep_pending(facts),
        *_restart_by_hand(facts),
    ]


def advice(facts: Facts) -> str:
    """The same as one text, each command after what it is for."""
    return " ".join(part for step in next_steps(facts) for part in (step.text, *step.commands))


def has_failed_restart(facts: Facts) -> bool:
    """Whether what failed is a restart of dependents, and not a rotation."""
    is_unsettled = any(
        entry["state"] not in (RestartState.SETTLED, RestartState.REFUSED) for entry in facts["restarts"]
    )
    return facts["turn"] in (ESCALATED, REMINDER) and is_unsettled and not _is_broken(facts)


# --- in every case ----------------------------------------------------------------------------------------------------


def _end_outage(facts: Facts) -> Steps:
    """A move of AWSCURRENT to a version that a probe has proven, where nobody else will make it."""
    now = facts["now"]
    proofs = now["evidence"] or {}
    if proofs.get("current") != Proof.BROKEN or facts["turn"] == OPENED:
        return []
    if proofs.get("pending") == Proof.WORKS and now["pending"]:
        text = "A probe proved that AWSPENDING works. To end the outage, move AWSCURRENT there, which completes the "
        return [Step(f"{text}rotation:", (commands.move_current(facts, now["pending"]),))]
    if proofs.get("previous") == Proof.WORKS and now["previous"]:
        text = "A probe proved that AWSPREVIOUS works. To end the outage, move AWSCURRENT back to that older value:"
        return [Step(text, (commands.move_current(facts, now["previous"]),))]
    return []


def _keep_pending(facts: Facts) -> Steps:
    """The warning that costs nothing, wherever somebody might tidy up a version that may hold the live password."""
    if facts["turn"] not in (OPENED, ESCALATED, HELD, REMINDER, RESOLVED) or facts["unreadable"]:
        return []
    # The test of a rotation sets no password, and createSecret is what gives the version its value.
    is_set = bool(_SETTING & {*facts["failed_steps"]}) and facts["kind"] != TEST_ROTATION_FAILED
    is_unknown = not facts["failed_steps"] and facts["now"]["pending"] is not None
    is_complete = facts["turn"] == RESOLVED or has_failed_restart(facts)
    if is_complete and facts["now"]["pending"] is None:
        return []
    if not is_set and not is_unknown:
        return []
    return [Step("Do not clear AWSPENDING: it may be the only copy of a password that is live already.")]


def _has_outdated_dependent(facts: Facts) -> bool:
    """Whether a dependent is left to the reader to restart."""
    return any(entry["state"] == RestartState.REFUSED for entry in facts["restarts"])


def _restart_by_hand(facts: Facts) -> Steps:
    """What nobody restarts but the reader."""
    if facts["turn"] == RETRIED:
        return []
    names = [entry["target"] or "?" for entry in facts["restarts"] if entry["state"] == RestartState.REFUSED]
    if not names:
        return []
    shown = tuple(line for name in names[:RESTARTS_SHOWN] for line in commands.restart(facts, name))
    return [Step(f"Restart what was not restarted: {', '.join(names)}.", shown)]


def _read_log(facts: Facts, since: str | None = None, step: str | None = None) -> Step:
    at = f" at {step or facts['failed_step']}" if step or facts["failed_step"] else ""
    if not facts["function"]:
        text = f"Read the log of the rotation function{at}. Its name is not known here; the secret has it:"
        asked = (commands.describe(facts, "RotationLambdaARN"),) if facts["secret_arn"] else ()
        return Step(text if asked else "Read the log of the rotation function.", asked)
    text = (
        f"Read the log of the rotation function {facts['function'].split(':')[6]}{at}. It is in {facts['log_group']}, "
        "unless the function's configuration names another log group:"
    )
    return Step(text, (commands.read_log(facts, since or facts["last_failure_at"] or facts["occurred_at"]),))


def _rotate(facts: Facts, text: str) -> Step:
    if facts["is_rotation_enabled"] is False and "switch" not in text:
        text = f"Its rotation is switched off, and rotating switches it on again. {text}"
    return Step(text, (commands.rotate(facts),) if facts["secret_arn"] else ())


def _mend(facts: Facts) -> Steps:
    if not facts["function"] and facts["unreadable"]:
        return _unreadable(facts, facts["unreadable"])
    again = "Repair the cause, then rotate. If a rotation is unfinished, AWS tries that one again:"
    return [_read_log(facts), _rotate(facts, again)]


# --- while it is open -------------------------------------------------------------------------------------------------


def _opened(facts: Facts) -> Steps:
    if why := facts["unreadable"] or facts["reason"]:
        return _unreadable(facts, why)
    if facts["kind"] == TEST_ROTATION_FAILED:
        return _test_again(facts)
    again = "AWS tries again by itself, then" if facts["kind"] == "RotationFailed" else "After settleMinutes"
    return [
        Step(f"{again} rotation-guard looks at the secret. Another notice follows when this is over."),
        _read_log(facts),
    ]


def _test_again(facts: Facts) -> Steps:
    again = (commands.try_rotation(facts),) if facts["secret_arn"] else ()
    return [_read_log(facts), Step("Nothing was rotated. Repair the cause, and test again:", again)]


def _held(facts: Facts) -> Steps:
    cause = Step("Repair what so many failures have in common. AWS's own next try then works.")
    limit = Step("If the limit is too low, raise maxActionsPerHour.")
    if facts["turn"] == HELD:
        return [cause, _rotate(facts, "If it is still stuck in an hour, rotate it:"), limit]
    secrets = [one for one in facts["held"]["secrets"] if one["secret_arn"]]
    shown = tuple(commands.rotate(facts, one["secret_arn"]) for one in secrets[:RESTARTS_SHOWN])
    more = "these, and the others alike" if facts["held"]["count"] > len(shown) else "them"
    outages = [one for one in secrets if one.get("severity") == Severity.OUTAGE][:RESTARTS_SHOWN]
    proven = "See what the probe proved of the outages. Where AWSPENDING works, move AWSCURRENT there:"
    return [
        *([Step(proven, tuple(commands.show_incident(one) for one in outages))] if outages else []),
        cause,
        Step("List them all:", (commands.list_held(),)),
        Step(f"If they are still stuck in an hour, rotate {more}:", shown),
        limit,
    ]


# --- once it is over --------------------------------------------------------------------------------------------------


def _recovered(facts: Facts) -> Steps:
    is_outdated = _has_outdated_dependent(facts)
    if facts["outcome"] == Outcome.ROLLED_FORWARD:
        begun = "Nothing is lost." if is_outdated else "No action required: nothing is lost."
        died = Step(f"{begun} The rotation failed after it had changed the password.")
        return [died, _read_log(facts, facts["occurred_at"])]
    if facts["outcome"] == Outcome.FALLEN_BACK:
        lost = (
            "Applications work with the value from before. Before the next rotation, find out what became of the one "
            "that should be in use."
        )
        return [Step(lost), _read_log(facts, facts["occurred_at"])]
    if facts["now"]["pending"]:
        return _unfinished(facts)
    begun = "A new value is in use." if is_outdated else "No action required."
    return [Step(f"{begun} If this comes back, look for its cause:"), _read_log(facts, facts["occurred_at"])]


def _unfinished(facts: Facts) -> Steps:
    text = (
        f"A new value is in use, but AWSPENDING is still on version {facts['now']['pending']}: a rotation is "
        "unfinished. Unless one is running right now, finish it:"
    )
    return [_rotate(facts, text)]


def _resolved(facts: Facts) -> Steps:
    if facts["now"]["pending"]:
        return _unfinished(facts)
    return [] if _has_outdated_dependent(facts) else [Step("No action required.")]


def _restarted(facts: Facts) -> Steps:
    if not _has_outdated_dependent(facts):
        return [Step("No action required: no rotation failed.")]
    return [Step("No rotation failed, but what is not restarted may keep the old value.")]


def _missing(facts: Facts) -> Steps:
    look = "See which version holds which label, and whether AWSPENDING is on one of its own:"
    return [
        Step(look, (commands.describe(facts),)),
        Step(
            "Somebody deleted the row, or the table was restored from an earlier time. The next failure opens a new "
            "incident."
        ),
    ]


def _unidentified(facts: Facts) -> Steps:
    text = "Look at the whole event: it is on the failures topic, in the audit trail, and in CloudTrail."
    known = facts["kind"] in FAILURES and facts["kind"] != ROTATION_STUCK
    return [Step(text, (commands.find_events(facts, facts["kind"]),) if known else ())]


# --- when it was escalated --------------------------------------------------------------------------------------------


def _is_broken(facts: Facts) -> bool:
    return bool(facts["error"]) or (facts["reason"] or "").startswith(_BROKEN)


def _escalated(facts: Facts) -> Steps:
    if _is_broken(facts):
        return _broken(facts)
    if has_failed_restart(facts):
        return _restart_failed(facts)
    last: Facts = next((one for one in reversed(facts["actions"]) if one["action"] != "restart"), {"action": ""})
    said = last.get("outcome") or ""
    if said.startswith(_OFF):
        return _RULES["rotation off"](facts)
    if said.startswith(_NOT_DONE):
        return _refused(facts, said)
    return _RULES.get(last.get("rule") or "", _mend)(facts)


def _broken(facts: Facts) -> Steps:
    return [
        Step("See which step failed, and with what. Often its role lacks a permission:", (commands.read_errors(facts),))
        if facts["execution"]
        else Step("Look in the execution for the step that failed. Often its role lacks a permission."),
        _rotate(
            facts,
            "Repair that. rotation-guard does not go on with this incident; the next failure opens a new one. To try "
            "the rotation again now:",
        ),
    ]


def _restart_failed(facts: Facts) -> Steps:
    names = [
        one["target"] or "?"
        for one in facts["restarts"]
        if one["state"] not in (RestartState.SETTLED, RestartState.REFUSED)
    ]
    shown = tuple(line for name in names[:RESTARTS_SHOWN] for line in commands.restart(facts, name))
    text = "AWSCURRENT has moved, and these may still use the old value. See why, then restart them: "
    return [Step(f"{text}{', '.join(names)}.", shown)]


def _refused(facts: Facts, said: str) -> Steps:
    if "ResourceNotFoundException" in said or UNKNOWN_SECRET in said:
        return _unreadable(facts, UNKNOWN_SECRET)
    if "access denied" not in said:
        again = "See what keeps Secrets Manager from doing it, repair that, then rotate:"
        return [Step(again, (commands.describe(facts), commands.rotate(facts)))]
    lists = " For a retry, its rotation function must be in rotationFunctions." if "RotateSecret" in said else ""
    return [
        Step("Access was denied. Look at the secret's own policy first:", (commands.read_policy(facts),)),
        Step(f"Then at its tag rotation-guard:remediation.{lists}", (commands.describe(facts, "Tags"),)),
        _rotate(facts, "Once that is repaired, rotate:"),
    ]


def _untouchable(facts: Facts) -> Steps:
    return _unreadable(facts, facts["reason"] or "")


def _unreadable(facts: Facts, why: str) -> Steps:
    """What to do about a secret that cannot be read, or is not ours to repair."""
    if why == UNKNOWN_SECRET:
        return [
            Step(
                "If applications still use the secret, they cannot read it: create it again with a value that works. "
                "If not, no action is required. To see who deleted secrets in the last 90 days:",
                (commands.find_deletions(facts),),
            )
        ]
    if why == UNREADABLE_SECRET:
        return [
            Step("Access was denied. Look at the secret's own policy first:", (commands.read_policy(facts),)),
            Step(
                "Then at what limits the roles of rotation-guard: a permissions boundary, or a service control policy."
            ),
            _rotate(facts, "Nothing was repaired. To try the rotation again yourself:"),
        ]
    if why == MARKED_FOR_DELETION:
        return [
            Step("Applications cannot read it. If any still uses it, keep it:", (commands.restore(facts),)),
            Step("If not, no action is required."),
        ]
    if why.startswith(REPLICA):
        return [Step("Repair it in its primary Region, from which its value is replicated.")]
    return [
        Step("Repair it where it is rotated: by the service or the partner that owns it.", (commands.describe(facts),))
    ]


def _moved_in_vain(facts: Facts) -> Steps:
    now = facts["now"]
    versions = [version for version in (now["current"], now["previous"]) if version]
    return [
        Step(
            "The probe said of one version that it works, and then that it does not. Log in with both yourself; these "
            "print their values:",
            tuple(commands.read_value(facts, version) for version in versions),
        ),
        Step("Then repair the probe, or the password."),
    ]


def _nothing_works(facts: Facts) -> Steps:
    now = facts["now"]
    version, label = (now["pending"], "AWSPENDING") if now["pending"] else (now["current"], "AWSCURRENT")
    text = (
        f"Log in as the database's administrator, and set the user's password to the value of {label}. "
        f"{'If that has no value, take that of AWSCURRENT. ' if now['pending'] else ''}This prints it:"
    )
    shown = [one for one in dict.fromkeys((version, now["current"])) if one]
    return [
        Step(text, tuple(commands.read_value(facts, one) for one in shown)),
        _rotate(facts, "Then rotate:"),
    ]


def _no_current(facts: Facts) -> Steps:
    now = facts["now"]
    versions = [version for version in (now["pending"], now["previous"]) if version]
    return [
        Step("Applications cannot read the secret. See which versions there are:", (commands.list_versions(facts),)),
        Step(
            "Log in with one, then put AWSCURRENT on it:",
            tuple(commands.move_current(facts, version) for version in versions),
        ),
    ]


_RULES: dict[str, Callable[[Facts], Steps]] = {
    "moved in vain": _moved_in_vain,
    "untouchable": _untouchable,
    "test only": lambda facts: _test_again(facts),
    "exhausted": lambda facts: [
        Step("See what was decided over and over:", (commands.show_incident(facts),)),
        *_mend(facts),
    ],
    "stopped": lambda facts: [
        *_mend(facts),
        Step("See who stopped repairs, and why:", (commands.show_switch(),)),
        Step("When they may go on, for later failures:", (commands.allow_repairs(),)),
    ],
    "orphaned": lambda facts: [
        Step("Find out why it keeps failing:", (commands.show_incident(facts),)),
        *_mend(facts),
        Step("Then allow repairs of this secret again:", (commands.release(facts),)),
    ],
    "notify": lambda facts: [
        *_mend(facts),
        Step(
            "To have rotation-guard do this next time, tag the secret rotation-guard:remediation=retry, and set "
            "remediationMode to retry or repair."
        ),
    ],
    "no AWSCURRENT": _no_current,
    "nothing works": _nothing_works,
    "rotation off": lambda facts: [
        Step("Find out who switched its rotation off, and why.", (commands.find_events(facts, "CancelRotateSecret"),)),
        _rotate(facts, "To switch it on again and rotate at once:"),
    ],
    "retries used up": _mend,
}
"""By the rule of decisions.py that ended it."""
_TURNS: dict[str, Callable[[Facts], Steps]] = {
    OPENED: _opened,
    RETRIED: lambda _: [Step("No action required: rotation-guard looks at what comes of it.")],
    RECOVERED: _recovered,
    RESTARTED: _restarted,
    ESCALATED: _escalated,
    REMINDER: _escalated,
    RESOLVED: _resolved,
    MISSING: _missing,
    HELD: _held,
    HELD_BURST: _held,
    UNIDENTIFIED: _unidentified,
}
