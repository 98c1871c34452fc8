"""The remediation workflow, as data: the definition of the state machine.

Steps return what happened, and the definition chooses what follows. Waits and retries belong here, not in a function
that would pay for its sleep. No path ends without a notification: a step that fails is retried, then the incident is
escalated, and if that fails too, the last resort notifies the critical topic without any function. Every text in an
execution's data is ours: `$.error.Cause`, which is not, is never read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .last_resort import write_last_resort
from .states import (
    UNAVAILABLE_ATTEMPTS,
    URGENT_ATTEMPTS,
    State,
    States,
    choice,
    count,
    make,
    put,
    step,
    succeed,
    wait,
    when,
    when_at_least,
    when_there,
    when_true,
)

STEP_SECONDS = 60
"""How long a step may take, its start and its own retries of AWS's refusals included."""
LOOK_SECONDS, LOOKS = 30, 60
"""How often a retried rotation is checked: for half an hour, after which it counts as failed. One of its steps may take
fifteen minutes, and the event that reports it arrives some minutes later."""
WATCH_SECONDS, WATCHES = 15, 240
"""How often restarts are checked, less often if that were too many times: AWS ends an execution whose history has more
than 25,000 events
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""
GATHER_SECONDS = 180
"""How long rate-limited incidents are collected for one digest: failures at once are diagnosed within two minutes."""

URGENT = ("end", "notify", "watch")
"""Steps that must not wait for long: they notify, or they run many times."""

INCIDENT = {"incident.$": "$.incident"}
HEARD = {"heard.$": "$.heard"}


@dataclass(frozen=True)
class Workflow:
    """What the definition is made of; steps that it has no function for are left out, and so is what leads to them."""

    partition: str
    functions: Mapping[str, str]
    """Step -> ARN of its function."""
    critical_topic_arn: str
    incidents_table_name: str
    probe_seconds: int
    """How long the step may take that asks a probe about three versions."""
    debounce_seconds: int
    """How long to wait before dependents are restarted."""
    restart_minutes: int
    """How long a restart may take to settle."""
    runbook_url: str = ""
    """The runbook that the last-resort notice leads to."""

    def definition(self) -> str:
        """The definition, as JSON. The execution's input is `heard`: a RotationSignal."""
        parts = [self._claiming(), self._diagnosing(), self._deciding(), self._ending(), self._notifying()]
        parts += [part() for name, part in self._optional().items() if name in self.functions]
        parts += [self._breaking(), self._notifying_as_a_last_resort()]
        states = {name: state for part in parts for name, state in part.items()}
        return json.dumps({"Comment": "rotation-guard: a rotation failed", "StartAt": "Claim", "States": states})

    def _optional(self) -> Mapping[str, Callable[[], States]]:
        return {
            "probe": self._probing,
            "retry": self._retrying,
            "move": self._moving,
            "restart": self._restarting,
        }

    def _has(self, name: str, *rules: State) -> Sequence[State]:
        """These rules where there is a function for this step, and else none."""
        return rules if name in self.functions else ()

    def _step(
        self,
        name: str,
        payload: Mapping[str, Any],
        *,
        result: str | None,
        then: str,
        otherwise: str = "StepFailed",
        seconds: int = STEP_SECONDS,
    ) -> State:
        is_urgent = name in URGENT or "is_look" in payload
        return step(
            self.functions[name],
            payload,
            result=result,
            then=then,
            otherwise=otherwise,
            seconds=seconds,
            unavailable_attempts=URGENT_ATTEMPTS if is_urgent else UNAVAILABLE_ATTEMPTS,
        )

    def _notify(
        self,
        turn: str,
        then: str,
        about: Mapping[str, Any] = INCIDENT,
        *,
        otherwise: str = "ClaimLastResort",
        result: str | None = None,
    ) -> State:
        return self._step("notify", {"turn": turn, **about}, result=result, then=then, otherwise=otherwise)

    def _claiming(self) -> States:
        """Which incident does the event belong to, if any?"""
        started = {"started_at.$": "$$.Execution.StartTime"}
        taken = {**HEARD, "incident.$": "$.claim.incident", "decision.$": "$.claim.ending"}
        return {
            "Claim": self._step(
                "claim", {**HEARD, **started}, result="$.claim", then="Missing", otherwise="ClaimLastResort"
            ),
            "Missing": choice(when_there("$.claim.missing", "NotifyMissing"), otherwise="Claimed"),
            "NotifyMissing": self._notify("missing", "Claimed", {"incident.$": "$.claim.missing"}),
            "Claimed": choice(
                when("$.claim.outcome", "opened", "StartIncident"),
                when("$.claim.outcome", "recovered", "UseEnding"),
                when("$.claim.outcome", "moved", "UseMove"),
                when("$.claim.outcome", "resumed", "Resumed"),
                when("$.claim.outcome", "reminder", "NotifyReminder"),
                when("$.claim.outcome", "unidentified", "NotifyUnidentified"),
                otherwise="Done",
            ),
            "StartIncident": make(
                {**HEARD, "incident.$": "$.claim.incident", "claim.$": "$.claim"}, "$", "NotifyOpened"
            ),
            "NotifyOpened": self._notify("opened", "Settle", {**INCIDENT, **HEARD}, otherwise="StepFailed"),
            # AWS tries a failed rotation again by itself.
            "Settle": wait("$.claim.wait_seconds", "ResetBackoff"),
            "Resumed": choice(
                when("$.claim.resume_at", "diagnose", "StartIncident"),
                when("$.claim.resume_at", "restart", "UseRestarts"),
                otherwise="UseOutcome",
            ),
            "UseRestarts": make(taken, "$", "FirstWatch" if "restart" in self.functions else "Settled"),
            "UseOutcome": make(taken, "$", "ChooseNotification"),
            "NotifyReminder": self._notify("reminder", "Done", {"incident.$": "$.claim.incident"}),
            "UseEnding": make(taken, "$", "End"),
            # Where nothing can be restarted, the notification says so.
            "UseMove": make(taken, "$", "Debounce" if "restart" in self.functions else "Settled"),
            "NotifyUnidentified": self._notify("unidentified", "Done", {"incident": None, **HEARD}),
            "Done": succeed(),
        }

    def _diagnosing(self) -> States:
        """What is true of the secret now?"""
        asked = "probe" in self.functions
        return {
            "ResetBackoff": put({"seconds": 0}, "$.backoff", "Diagnose"),
            "Diagnose": self._step("diagnose", INCIDENT, result="$.look", then="Diagnosed"),
            "Diagnosed": choice(
                when("$.look.state", "over", "Done"),
                *self._has("probe", when("$.look.probe", "", "NoProbe")),
                otherwise="Probe" if asked else "NoProbe",
            ),
            "NoProbe": put({}, "$.proofs", "Decide"),
        }

    def _probing(self) -> States:
        asked = {**INCIDENT, "diagnosis.$": "$.look.diagnosis", "probe.$": "$.look.probe"}
        return {
            "Probe": self._step("probe", asked, result="$.proofs", then="Decide", seconds=self.probe_seconds),
        }

    def _deciding(self) -> States:
        """What is to be done about it, and is now the time?"""
        known = {
            **INCIDENT,
            "diagnosis.$": "$.look.diagnosis",
            "recovered.$": "$.look.recovered",
            "proofs.$": "$.proofs",
            "backoff_seconds.$": "$.backoff.seconds",
        }
        return {
            "Decide": self._step("decide", known, result="$.decision", then="Decided"),
            "Decided": choice(
                when("$.decision.action", "end", "End"),
                *self._has("retry", when("$.decision.action", "retry", "Retry")),
                *self._has("move", when("$.decision.action", "move", "Move")),
                when("$.decision.action", "wait", "AwaitWindow"),
                *self._has("retry", when("$.decision.action", "back off", "BackOff")),
                when("$.decision.action", "over", "Done"),
                otherwise="UnexpectedResult",
            ),
            "AwaitWindow": wait("$.decision.wait_seconds", "Diagnose"),
        }

    def _retrying(self) -> States:
        """A rotation is started, and checked until it ends."""
        decided = {**INCIDENT, "decision.$": "$.decision", "recovered.$": "$.look.recovered"}
        return {
            "Retry": self._step("retry", decided, result="$.retried", then="Retried"),
            "Retried": choice(
                when("$.retried.outcome", "asked", "NotifyRetried"),
                when("$.retried.outcome", "refused", "RetryRefused"),
                when("$.retried.outcome", "recovered", "Diagnose"),
                when("$.retried.outcome", "over", "Done"),
                otherwise="UnexpectedResult",
            ),
            "NotifyRetried": self._notify("retried", "StartChecking", otherwise="StepFailed"),
            "StartChecking": put({"count": 1}, "$.looks", "WatchRotation"),
            "WatchRotation": wait(LOOK_SECONDS, "CheckRotation"),
            "CheckRotation": self._step(
                "diagnose", {**INCIDENT, "is_look": True}, result="$.look", then="RotationChecked"
            ),
            "RotationChecked": choice(
                when("$.look.state", "over", "Done"),
                when("$.look.rotation", "succeeded", "Diagnose"),
                when("$.look.rotation", "failed", "RetryFailed"),
                when_at_least("$.looks.count", LOOKS, "RetryFailed"),
                otherwise="CountCheck",
            ),
            # Only another retry is worth the wait, which the next decision says: a page does not wait.
            "RetryFailed": make({"seconds.$": "$.decision.backoff_seconds"}, "$.backoff", "Diagnose"),
            "CountCheck": count("$.looks", "WatchRotation"),
            "BackOff": wait("$.decision.wait_seconds", "ResetBackoff"),
            "RetryRefused": _escalation({"reason.$": "$.retried.reason"}),
        }

    def _moving(self) -> States:
        """AWSCURRENT is moved; the diagnosis, the probe and the decision that follow prove that it holds."""
        return {
            "Move": self._step("move", {**INCIDENT, "decision.$": "$.decision"}, result="$.move", then="Moved"),
            "Moved": choice(
                when("$.move.outcome", "moved", "Diagnose"),
                when("$.move.outcome", "lost", "Diagnose"),
                when("$.move.outcome", "refused", "MoveRefused"),
                when("$.move.outcome", "over", "Done"),
                otherwise="UnexpectedResult",
            ),
            "MoveRefused": _escalation({"reason.$": "$.move.reason"}),
        }

    def _ending(self) -> States:
        """This execution takes the incident over, and closes it once its dependents have settled."""
        ending = {name: f"$.decision.{name[:-2]}" for name in ("outcome.$", "reason.$", "restarts.$", "version.$")}
        return {
            "End": self._step(
                "end",
                {**INCIDENT, **HEARD, "ending": ending},
                result="$.end",
                then="Ended",
                otherwise="ClaimLastResort",
            ),
            "Ended": choice(
                when("$.end.state", "over", "Done"),
                when("$.end.state", "stale", "ResetBackoff"),
                when_true("$.end.restarts", "Debounce" if "restart" in self.functions else "Settled"),
                when_there("$.error", "NotifyStepFailed"),
                otherwise="ChooseNotification",
            ),
            "ChooseNotification": choice(
                when("$.decision.outcome", "escalated", "NotifyEscalated"),
                when("$.decision.outcome", "held", "AddToDigest"),
                when("$.decision.outcome", "resolved", "NotifyResolved"),
                when("$.decision.outcome", "restarted", "NotifyRestarted"),
                otherwise="NotifyRecovered",
            ),
            "Settled": put([], "$.decision.restarts", "End"),
        }

    def _restarting(self) -> States:
        """Dependents still hold the old value: they are restarted, and watched until they settle.

        A restart that AWS is too busy for is requested again after each check of the others.
        """
        patience = self.restart_minutes * 60
        pause = max(WATCH_SECONDS, -(-patience // WATCHES))
        failed = "A restart of what uses the secret failed."
        late = f"A restart of what uses the secret has not settled within {self.restart_minutes} minutes."
        over = (
            when("$.restart.state", "settled", "Settled"),
            when("$.restart.state", "failed", "RestartFailed"),
            # Another execution has taken the restarts over, and will notify.
            when("$.restart.state", "not_owned", "Done"),
        )
        return {
            "Debounce": wait(self.debounce_seconds, "FirstWatch"),
            "FirstWatch": put({"count": 1}, "$.watches", "Restart"),
            "Restart": self._step(
                "restart", {**INCIDENT, "version.$": "$.decision.version"}, result="$.restart", then="Restarted"
            ),
            "Restarted": choice(*over, otherwise="WatchRestarts"),
            "WatchRestarts": wait(pause, "Watch"),
            "Watch": self._step("watch", INCIDENT, result="$.restart", then="Watched"),
            "Watched": choice(
                *over,
                when_at_least("$.watches.count", -(-patience // pause), "RestartTimedOut"),
                when("$.restart.state", "wanted", "CountRestart"),
                otherwise="CountWatch",
            ),
            "CountRestart": count("$.watches", "Restart"),
            "CountWatch": count("$.watches", "WatchRestarts"),
            "RestartFailed": _escalation({"reason": failed}),
            "RestartTimedOut": _escalation({"reason": late}),
        }

    def _notifying(self) -> States:
        """Once the incident has ended: one notification."""
        return {
            "NotifyRecovered": self._notify("recovered", "Done"),
            "NotifyRestarted": self._notify("restarted", "Done"),
            "NotifyResolved": self._notify("resolved", "Done"),
            "AddToDigest": self._notify("held", "OwnsDigest", result="$.told"),
            # One execution publishes a digest of all incidents that were rate limited within that time.
            "OwnsDigest": choice(when_true("$.told.teller", "CollectDigest"), otherwise="Done"),
            "CollectDigest": wait(GATHER_SECONDS, "PublishDigest"),
            "PublishDigest": self._notify("held_burst", "Done"),
            # The execution succeeds: an alarm on failed ones would page a second time.
            "NotifyEscalated": self._notify("escalated", "Done"),
        }

    def _notifying_as_a_last_resort(self) -> States:
        return write_last_resort(self.partition, self.incidents_table_name, self.critical_topic_arn, self.runbook_url)

    def _breaking(self) -> States:
        """A step failed for good: the incident is escalated, or the last resort notifies without any function."""
        reason = "States.Format('A step of the workflow failed for good: {}.', $.error.Error)"
        decision = {"outcome": "escalated", "reason.$": reason, "restarts": [], "version": ""}
        return {
            # An execution waits with the definition that it began with, while its functions are deployed anew.
            "UnexpectedResult": put({"Error": "UnforeseenAnswer"}, "$.error", "StepFailed"),
            "StepFailed": make({**HEARD, **INCIDENT, "error.$": "$.error.Error", "decision": decision}, "$", "End"),
            "NotifyStepFailed": self._notify("escalated", "Done", {**INCIDENT, "error.$": "$.error"}),
        }


def _escalation(reason: Mapping[str, str]) -> State:
    """Ends the incident as escalated, for this reason."""
    return make(
        {"outcome": "escalated", **reason, "restarts": [], "version.$": "$.decision.version"}, "$.decision", "End"
    )
