"""The queues: they exist, admit who sends to them, hand on what fails, and dead-letter queues are empty."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from .examination import Examination
from .link import Check, Finding, Part, broken, cannot_tell
from .resource_policies import ALLOWED, UNKNOWN, Request, decide, parse
from .rules import find_destination, find_rules_of

DEAD_LETTERS: Mapping[str, str] = {
    "undelivered events": "undelivered_events_dead_letters_url",
    "unrecorded events": "unrecorded_events_dead_letters_url",
    "unstarted remediations": "unstarted_remediations_dead_letters_url",
    "failed audits": "failed_audits_dead_letters_url",
    "undelivered notices": "undelivered_notices_dead_letters_url",
    "failed reports": "failed_reports_dead_letters_url",
}
"""Name -> output."""
_OPTIONAL = (
    "unrecorded_events_dead_letters_url",
    "undelivered_notices_dead_letters_url",
    "failed_reports_dead_letters_url",
)
"""Outputs that a stack need not have."""
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
OLDEST_SECONDS = 900
"""From this age of the oldest event the writer is behind; the alarm `oldest-event` is for the same."""
_AGE_PERIOD = 300
_TOPIC_OUTPUTS = (
    "failures_topic_arn",
    "remediation_topic_arn",
    "critical_topic_arn",
    "alarms_topic_arn",
    "reports_topic_arn",
)

Senders = Callable[[], tuple[str, Mapping[str, str]]]
"""A function that returns an AWS service, and its sources by name: those for which it has to be admitted."""


def list_checks(examination: Examination) -> Iterable[Check]:
    """The queue of events, and every dead-letter queue of the stack."""

    def rules_to_audit() -> tuple[str, Mapping[str, str]]:
        return "events.amazonaws.com", find_rules_of(examination, find_destination(examination, "audit"))

    def all_rules() -> tuple[str, Mapping[str, str]]:
        rules = examination.names("rule_names")
        return "events.amazonaws.com", {short: examination.rule_arn(short) for short in rules}

    def topics() -> tuple[str, Mapping[str, str]]:
        arns = [examination.output(name) for name in _TOPIC_OUTPUTS if examination.has(name)]
        return "sns.amazonaws.com", {arn.rpartition(":")[2]: arn for arn in arns}

    senders: Mapping[str, Senders] = {
        "undelivered_events_dead_letters_url": all_rules,
        "undelivered_notices_dead_letters_url": topics,
    }
    yield Check(
        "queue",
        "audit",
        (
            _existence(examination, "audit_queue_url"),
            _admission(examination, "audit_queue_url", rules_to_audit),
            lambda: _check_redrive(examination),
            lambda: _check_age(examination),
        ),
    )
    for name, output in DEAD_LETTERS.items():
        if output in _OPTIONAL and not examination.has(output):
            continue
        parts = [_existence(examination, output), _emptiness(examination, output)]
        if output in senders:
            parts.append(_admission(examination, output, senders[output]))
        yield Check("dead letters", name, tuple(parts))


def count_messages(attributes: Mapping[str, str]) -> int:
    """How many messages a queue has, those that somebody is reading included."""
    return sum(int(attributes.get(count, 0)) for count in _COUNTS)


def judge_dead_letters(name: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a dead-letter queue is empty."""
    if count := count_messages(attributes):
        yield broken(
            f"The dead-letter queue {name} has {count} message{'' if count == 1 else 's'}.",
            "Run `rotation-guard dead-letters list`, which explains them.",
        )


def judge_admission(
    queue_arn: str, policy: object, service: str, sources: Mapping[str, str], account: str
) -> Iterator[Finding]:
    """Whether the queue's policy lets a service send for each of these sources."""
    statements = parse(policy or "")
    fix = (
        f"{queue_arn} needs a policy that allows sqs:SendMessage to {service} with aws:SourceArn; `pulumi refresh` and "
        "`pulumi up` restore that of a queue of the stack."
    )
    results = {}
    for name, source in sources.items():
        context = {"aws:sourcearn": source, "aws:sourceaccount": account, "aws:securetransport": "true"}
        results[name] = decide(statements, Request("sqs:SendMessage", queue_arn, service, context))
    refused = [name for name, result in results.items() if result not in (ALLOWED, UNKNOWN)]
    if refused:
        yield broken(f"The policy of the queue does not admit {service} for {', '.join(refused)}.", fix)
    if unknown := [name for name, result in results.items() if result == UNKNOWN]:
        yield cannot_tell(
            f"The policy of the queue has conditions for {service} that are not evaluated here, for "
            f"{', '.join(unknown)}.",
            "Read the policy, or send a drill.",
        )


def judge_redrive(attributes: Mapping[str, str], dead_letters_arn: str | None) -> Iterator[Finding]:
    """Whether what cannot be recorded goes to a dead-letter queue: the stack's own, if it has one."""
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if not target:
        yield broken("Events that cannot be recorded have no dead-letter queue: SQS deletes them when they expire.")
    elif dead_letters_arn and target != dead_letters_arn:
        yield broken(f"Events that cannot be recorded go to {target}, and not to {dead_letters_arn}.")


def judge_age(seconds: float | None) -> Iterator[Finding]:
    """Whether events are recorded in time; None if there are none."""
    if seconds is not None and seconds >= OLDEST_SECONDS:
        yield broken(
            f"The oldest event has waited for {seconds / 60:.0f} minutes to be recorded.",
            "Read the log of the function writer, and the link about it.",
        )


def _existence(examination: Examination, output: str) -> Part:
    def check() -> Iterator[Finding]:
        if read_attributes(examination, examination.output(output)) is None:
            yield broken(f"The queue {examination.output(output)} does not exist.")

    return check


def _emptiness(examination: Examination, output: str) -> Part:
    def check() -> Iterator[Finding]:
        attributes = read_attributes(examination, examination.output(output))
        if attributes is not None:
            yield from judge_dead_letters(attributes["QueueArn"].rpartition(":")[2], attributes)

    return check


def _admission(examination: Examination, output: str, senders: Senders) -> Part:
    def check() -> Iterator[Finding]:
        attributes = read_attributes(examination, examination.output(output))
        if attributes is not None:
            arn, policy = attributes["QueueArn"], attributes.get("Policy")
            yield from judge_admission(arn, policy, *senders(), examination.account)

    return check


def _check_redrive(examination: Examination) -> Iterator[Finding]:
    attributes = read_attributes(examination, examination.output("audit_queue_url"))
    if attributes is None:
        return
    output = "unrecorded_events_dead_letters_url"
    yield from judge_redrive(attributes, examination.queue_arn(output) if examination.has(output) else None)


def _check_age(examination: Examination) -> Iterator[Finding]:
    attributes = read_attributes(examination, examination.output("audit_queue_url"))
    if attributes is None or not count_messages(attributes):
        return
    points = examination.read_existing(
        "cloudwatch:GetMetricStatistics",
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": attributes["QueueArn"].rpartition(":")[2]}],
        StartTime=examination.now - timedelta(seconds=3 * _AGE_PERIOD),
        EndTime=examination.now,
        Period=_AGE_PERIOD,
        Statistics=["Maximum"],
    )["Datapoints"]
    latest = max(points, key=lambda point: point["Timestamp"], default=None)
    yield from judge_age(latest and latest["Maximum"])


def read_attributes(examination: Examination, url: str) -> Mapping[str, Any] | None:
    """The attributes of a queue; None if it does not exist. Raises Unanswered."""
    response = examination.read("sqs:GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    return None if response is None else response["Attributes"]
