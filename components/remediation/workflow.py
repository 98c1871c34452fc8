"""What happens after a rotation has failed, as data: the definition of the state machine.

The steps answer what happened in words, and the definition chooses. Waiting and trying again belong here and not in a
function that would pay for its sleep. There is no path on which an incident ends unheard: a step that fails for reasons
of its own is tried again, then the incident is escalated for it, and where even that fails the critical topic is told
without any function. Every text in an execution's data is one of ours: `$.error.Cause`, which is not, is never read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..release import link_heading
from .states import (
    UNAVAILABLE_ATTEMPTS,
    URGENT_ATTEMPTS,
    State,
    States,
    call,
    choice,
    count,
    fail,
    make,
    put,
    step,
    succeed,
    wait,
    when,
    when_at_least,
    when_same,
    when_there,
    when_true,
)

STEP_SECONDS = 60
"""How long a step may take, its start and its own retries of AWS's refusals included."""
LOOK_SECONDS, LOOKS = 30, 60
"""How often is looked at a rotation that was asked for again, until it is heard of: half an hour, after which it counts
as failed. A step of it may take fifteen minutes, and the event that tells of it comes some minutes later."""
WATCH_SECONDS, WATCHES = 15, 240
"""How often is looked at restarts that were begun, less often where that would be too many times: AWS ends an execution
whose history has more than 25,000 events
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""
GATHER_SECONDS = 180
"""How long held incidents are gathered for one notice: what failed at once is looked at within two minutes."""

NOTICE_SECONDS = 120
"""How long the first execution that nobody can be told of may take to publish a notice for all of them."""
NOTICES = "limit#notices"
"""Key of the rows that say who publishes the notice of an hour, in the table of the incidents."""
URGENT = ("end", "notify", "watch")
"""Steps before which nobody should wait for long: somebody is to be told, or they are taken many times."""

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
        """The definition, as JSON. The execution's input is `heard`: what was heard, in words of ours."""
        parts = [self._claiming(), self._diagnosing(), self._deciding(), self._ending(), self._telling()]
        parts += [part() for name, part in self._optional().items() if name in self.functions]
        parts += [self._breaking(), self._noticing()]
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
        otherwise: str = "Broken",
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

    def _tell(
        self,
        turn: str,
        then: str,
        about: Mapping[str, Any] = INCIDENT,
        *,
        otherwise: str = "TakeNotice",
        result: str | None = None,
    ) -> State:
        return self._step("notify", {"turn": turn, **about}, result=result, then=then, otherwise=otherwise)

    def _claiming(self) -> States:
        """Whose incident is it, and is there one at all?"""
        started = {"started_at.$": "$$.Execution.StartTime"}
        taken = {**HEARD, "incident.$": "$.claim.incident", "decision.$": "$.claim.ending"}
        return {
            "Claim": self._step(
                "claim", {**HEARD, **started}, result="$.claim", then="Missing", otherwise="TakeNotice"
            ),
            "Missing": choice(when_there("$.claim.missing", "TellMissing"), otherwise="Claimed"),
            "TellMissing": self._tell("missing", "Claimed", {"incident.$": "$.claim.missing"}),
            "Claimed": choice(
                when("$.claim.outcome", "opened", "Begin"),
                when("$.claim.outcome", "recovered", "TakeEnding"),
                when("$.claim.outcome", "moved", "TakeMoved"),
                when("$.claim.outcome", "resumed", "Resumed"),
                when("$.claim.outcome", "reminder", "TellReminder"),
                when("$.claim.outcome", "unidentified", "TellUnidentified"),
                otherwise="Done",
            ),
            "Begin": make({**HEARD, "incident.$": "$.claim.incident", "claim.$": "$.claim"}, "$", "TellOpened"),
            "TellOpened": self._tell("opened", "Settle", {**INCIDENT, **HEARD}, otherwise="Broken"),
            # AWS tries a failed rotation again by itself.
            "Settle": wait("$.claim.wait_seconds", "RetryIsDue"),
            "Resumed": choice(
                when("$.claim.resume_at", "diagnose", "Begin"),
                when("$.claim.resume_at", "restart", "TakeRestarts"),
                otherwise="TakeOutcome",
            ),
            "TakeRestarts": make(taken, "$", "FirstWatch" if "restart" in self.functions else "Settled"),
            "TakeOutcome": make(taken, "$", "Tell"),
            "TellReminder": self._tell("reminder", "Done", {"incident.$": "$.claim.incident"}),
            "TakeEnding": make(taken, "$", "End"),
            # Where nothing can be restarted, that is what is told.
            "TakeMoved": make(taken, "$", "Debounce" if "restart" in self.functions else "Settled"),
            "TellUnidentified": self._tell("unidentified", "Done", {"incident": None, **HEARD}),
            "Done": succeed(),
        }

    def _diagnosing(self) -> States:
        """What is true of the secret now?"""
        asked = "probe" in self.functions
        return {
            "RetryIsDue": put({"seconds": 0}, "$.backoff", "Diagnose"),
            "Diagnose": self._step("diagnose", INCIDENT, result="$.look", then="Diagnosed"),
            "Diagnosed": choice(
                when("$.look.state", "over", "Done"),
                *self._has("probe", when("$.look.probe", "", "NoProofs")),
                otherwise="Probe" if asked else "NoProofs",
            ),
            "NoProofs": put({}, "$.proofs", "Decide"),
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
                otherwise="Unforeseen",
            ),
            "AwaitWindow": wait("$.decision.wait_seconds", "Diagnose"),
        }

    def _retrying(self) -> States:
        """A rotation is asked for, and what becomes of it is looked at for some minutes."""
        decided = {**INCIDENT, "decision.$": "$.decision", "recovered.$": "$.look.recovered"}
        return {
            "Retry": self._step("retry", decided, result="$.retried", then="Retried"),
            "Retried": choice(
                when("$.retried.outcome", "asked", "TellRetried"),
                when("$.retried.outcome", "refused", "RetryRefused"),
                when("$.retried.outcome", "recovered", "Diagnose"),
                when("$.retried.outcome", "over", "Done"),
                otherwise="Unforeseen",
            ),
            "TellRetried": self._tell("retried", "FirstLook", otherwise="Broken"),
            "FirstLook": put({"count": 1}, "$.looks", "WatchRotation"),
            "WatchRotation": wait(LOOK_SECONDS, "Look"),
            "Look": self._step("diagnose", {**INCIDENT, "is_look": True}, result="$.look", then="Looked"),
            "Looked": choice(
                when("$.look.state", "over", "Done"),
                when("$.look.rotation", "succeeded", "Diagnose"),
                when("$.look.rotation", "failed", "RetryFailed"),
                when_at_least("$.looks.count", LOOKS, "RetryFailed"),
                otherwise="CountLook",
            ),
            # Only another retry is worth the wait, and that is for the next decision to say: nobody waits for a page.
            "RetryFailed": make({"seconds.$": "$.decision.backoff_seconds"}, "$.backoff", "Diagnose"),
            "CountLook": count("$.looks", "WatchRotation"),
            "BackOff": wait("$.decision.wait_seconds", "RetryIsDue"),
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
                otherwise="Unforeseen",
            ),
            "MoveRefused": _escalation({"reason.$": "$.move.reason"}),
        }

    def _ending(self) -> States:
        """The incident is taken from everybody else, and closed once its dependents have settled."""
        ending = {name: f"$.decision.{name[:-2]}" for name in ("outcome.$", "reason.$", "restarts.$", "version.$")}
        return {
            "End": self._step(
                "end", {**INCIDENT, **HEARD, "ending": ending}, result="$.end", then="Ended", otherwise="TakeNotice"
            ),
            "Ended": choice(
                when("$.end.state", "over", "Done"),
                when("$.end.state", "stale", "RetryIsDue"),
                when_true("$.end.restarts", "Debounce" if "restart" in self.functions else "Settled"),
                when_there("$.error", "TellBroken"),
                otherwise="Tell",
            ),
            "Tell": choice(
                when("$.decision.outcome", "escalated", "TellEscalated"),
                when("$.decision.outcome", "held", "TellHeld"),
                when("$.decision.outcome", "resolved", "TellResolved"),
                when("$.decision.outcome", "restarted", "TellRestarted"),
                otherwise="TellRecovered",
            ),
            "Settled": put([], "$.decision.restarts", "End"),
        }

    def _restarting(self) -> States:
        """Dependents still hold the value of before: they are restarted, and watched until they settle.

        One that AWS is too busy to restart is asked for again after each look at the others.
        """
        patience = self.restart_minutes * 60
        pause = max(WATCH_SECONDS, -(-patience // WATCHES))
        failed = "A restart of what uses the secret failed."
        late = f"A restart of what uses the secret has not settled within {self.restart_minutes} minutes."
        over = (
            when("$.restart.state", "settled", "Settled"),
            when("$.restart.state", "failed", "RestartFailed"),
            # Another execution has taken the restarts over, and will tell how they went.
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
                when_at_least("$.watches.count", -(-patience // pause), "RestartLate"),
                when("$.restart.state", "wanted", "CountRestart"),
                otherwise="CountWatch",
            ),
            "CountRestart": count("$.watches", "Restart"),
            "CountWatch": count("$.watches", "WatchRestarts"),
            "RestartFailed": _escalation({"reason": failed}),
            "RestartLate": _escalation({"reason": late}),
        }

    def _telling(self) -> States:
        """Once it has ended: whoever tells of it, tells once."""
        return {
            "TellRecovered": self._tell("recovered", "Done"),
            "TellRestarted": self._tell("restarted", "Done"),
            "TellResolved": self._tell("resolved", "Done"),
            "TellHeld": self._tell("held", "Teller", result="$.told"),
            # One execution tells of all that were held within that time.
            "Teller": choice(when_true("$.told.teller", "Gather"), otherwise="Done"),
            "Gather": wait(GATHER_SECONDS, "TellBurst"),
            "TellBurst": self._tell("held_burst", "Done"),
            # The execution succeeds: an alarm on failed ones would page a second time.
            "TellEscalated": self._tell("escalated", "Done"),
        }

    def _breaking(self) -> States:
        """A step failed for good: the incident is escalated for it, or at last a topic is told without any function."""
        reason = "States.Format('A step of the workflow failed for good: {}.', $.error.Error)"
        decision = {"outcome": "escalated", "reason.$": reason, "restarts": [], "version": ""}
        return {
            # An execution waits with the definition that it began with, while its functions are deployed anew.
            "Unforeseen": put({"Error": "UnforeseenAnswer"}, "$.error", "Broken"),
            "Broken": make({**HEARD, **INCIDENT, "error.$": "$.error.Error", "decision": decision}, "$", "End"),
            "TellBroken": self._tell("escalated", "Done", {**INCIDENT, "error.$": "$.error"}),
        }

    def _noticing(self) -> States:
        """The last resort, without any function: one notice an hour, for as many executions as there are.

        The first of an hour publishes, and writes down that it has. The others wait for that, and publish as well where
        it is not written down, or where nothing can be written or read.
        """
        table, integration = {"TableName": self.incidents_table_name}, f"arn:{self.partition}:states:::"
        written = {name: {"S.$": f"$.notice.Attributes.{name}.S"} for name in ("secret_arn", "opened_at")}
        hour = "States.ArrayGetItem(States.StringSplit($$.State.EnteredTime, ':'), 0)"
        first = {
            **table,
            "Key": {"secret_arn": {"S": NOTICES}, "opened_at": {"S.$": hour}},
            "UpdateExpression": "SET holder = if_not_exists(holder, :execution) ADD executions :one",
            "ExpressionAttributeValues": {":execution": {"S.$": "$$.Execution.Id"}, ":one": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        }
        told = {
            **table,
            "Key": written,
            "UpdateExpression": "SET told_at = :now",
            "ExpressionAttributeValues": {":now": {"S.$": "$$.State.EnteredTime"}},
        }
        _, _, _, region, account, _ = self.critical_topic_arn.split(":", 5)
        machine = (
            "$(aws stepfunctions describe-execution --execution-arn {} --query stateMachineArn --output text "
            f"--region {region})"
        )
        runbook = (
            f" Runbook: {link_heading(self.runbook_url, 'the-workflow-itself-failed')}" if self.runbook_url else ""
        )
        # On one line: no page of AWS says that a text in States.Format may have more
        # (https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html).
        text = (
            "States.Format('AT RISK: the workflow that handles failed rotations failed itself: {}. Nothing was done "
            f"about this event: {{}} Account: {account}. Region: {region}. Execution: {{}} Read its errors: aws "
            "stepfunctions get-execution-history --execution-arn {} --reverse-order --max-items 20 "
            f"--region {region} Others that fail within the hour publish no notice of their own. List them: aws "
            f"stepfunctions list-executions --state-machine-arn {machine} --status-filter FAILED --region {region}"
            f"{runbook}', "
            "$.error.Error, States.JsonToString($.heard), $$.Execution.Id, $$.Execution.Id, $$.Execution.Id)"
        )
        notice = {
            "TopicArn": self.critical_topic_arn,
            # Without the secret's name, which may be longer than a subject.
            "Subject": f"AT RISK rotation-guard {account} {region}: a rotation event was not handled",
            "Message.$": text,
            "MessageAttributes": {"severity": {"DataType": "String", "StringValue": "AT RISK"}},
        }
        return {
            "TakeNotice": call(
                f"{integration}dynamodb:updateItem", first, result="$.notice", then="NoticeTaken", otherwise="Unheard"
            ),
            "NoticeTaken": choice(
                when_same("$.notice.Attributes.holder.S", "$$.Execution.Id", "Unheard"), otherwise="AwaitNotice"
            ),
            "AwaitNotice": wait(NOTICE_SECONDS, "ReadNotice"),
            "ReadNotice": call(
                f"{integration}dynamodb:getItem",
                {**table, "Key": written, "ConsistentRead": True},
                result="$.read",
                then="NoticeRead",
                otherwise="Unheard",
            ),
            "NoticeRead": choice(when_there("$.read.Item.told_at", "Unhandled"), otherwise="Unheard"),
            "Unheard": call(f"{integration}sns:publish", notice, result=None, then="Published", otherwise="Unhandled"),
            # Whoever has published ends well: an alarm on executions that failed would page a second time.
            "Published": choice(when_there("$.notice", "NoteNotice"), otherwise="Done"),
            "NoteNotice": call(f"{integration}dynamodb:updateItem", told, result=None, then="Done", otherwise="Done"),
            "Unhandled": fail("StepFailed", "A step failed for good, and nobody was told of this execution by itself."),
        }


def _escalation(reason: Mapping[str, str]) -> State:
    """Ends the incident as escalated, for this reason."""
    return make(
        {"outcome": "escalated", **reason, "restarts": [], "version.$": "$.decision.version"}, "$.decision", "End"
    )
