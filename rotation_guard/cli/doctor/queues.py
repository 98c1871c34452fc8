"""The queues: they exist, admit who sends to them, hand on what fails, and dead-letter queues are empty."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .examination import Examination
from .link import Check, Finding, Part, broken, cannot_tell
from .resource_policies import ALLOWED, UNKNOWN, Request, decide, parse
from .roles import EVENTS
from .rules import find_destination, find_rules_of, find_rules_with
from .topics import TOPIC_OUTPUTS

DEAD_LETTERS: Mapping[str, str] = {
    "undelivered events": "undelivered_events_dead_letters_url",
    "unrecorded events": "unrecorded_events_dead_letters_url",
    "unstarted remediations": "unstarted_remediations_dead_letters_url",
    "failed audits": "failed_audits_dead_letters_url",
    "undelivered notices": "undelivered_notices_dead_letters_url",
    "failed reports": "failed_reports_dead_letters_url",
    "undelivered incidents": "undelivered_incidents_dead_letters_url",
    "unimported findings": "unimported_findings_dead_letters_url",
    "unrecorded reports": "unrecorded_reports_dead_letters_url",
    "undelivered to the hub": "dead_letters_url",
    "failed redeliveries": "failed_runs_dead_letters_url",
}
"""Name -> output."""
OF_RULES = (
    "undelivered_events_dead_letters_url",
    "undelivered_incidents_dead_letters_url",
    "unimported_findings_dead_letters_url",
    "dead_letters_url",
)
"""Those to which EventBridge sends what the target of a rule does not take."""
OF_TOPICS = "undelivered_notices_dead_letters_url"
"""That to which SNS sends what a subscriber does not take."""
SNS = "sns.amazonaws.com"
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
OLDEST_SECONDS = 900
"""From this age of the oldest event the writer is behind; the alarm `oldest-event` is for the same."""
_AGE_PERIOD = 300

Senders = Callable[[], tuple[str, Mapping[str, str]]]
"""A function that returns an AWS service, and its sources by name: those for which it has to be admitted."""


@dataclass(frozen=True)
class EventQueue:
    """A queue of events that a function reads."""

    name: str
    """Of its link."""
    destinations: tuple[str, ...]
    """What rules call it: the ids of their targets."""
    output: str
    dead_letters_output: str
    reader: str
    """The function, by its short name."""


EVENT_QUEUES = (
    EventQueue("audit", ("audit", "trail"), "audit_queue_url", "unrecorded_events_dead_letters_url", "writer"),
    EventQueue("findings", ("findings",), "findings_queue_url", "unimported_findings_dead_letters_url", "importer"),
    EventQueue("reports", ("reports",), "reports_queue_url", "unrecorded_reports_dead_letters_url", "record"),
)


def list_checks(examination: Examination) -> Iterable[Check]:
    """Every queue of events, and every dead-letter queue of the stack."""
    for queue in find_event_queues(examination):
        parts = (
            _existence(examination, queue.output),
            _admission(examination, queue.output, _rules_to(examination, queue)),
            _redrive(examination, queue),
            _age(examination, queue),
        )
        yield Check("queue", queue.name, parts)
    for name, output in DEAD_LETTERS.items():
        if not examination.expects(output):
            continue
        parts = [_existence(examination, output), _emptiness(examination, output)]
        if output in OF_RULES:
            parts.append(_admission(examination, output, _rules_with(examination, output)))
        if output == OF_TOPICS:
            parts.append(_admission(examination, output, _topics(examination)))
        yield Check("dead letters", name, tuple(parts))


def find_event_queues(examination: Examination) -> list[EventQueue]:
    """The queues of events that this stack has, or should have."""
    return [one for one in EVENT_QUEUES if examination.expects(one.output) or examination.has(one.dead_letters_output)]


def _rules_to(examination: Examination, queue: EventQueue) -> Senders:
    def find() -> tuple[str, Mapping[str, str]]:
        rules: dict[str, str] = {}
        for destination in queue.destinations:
            rules |= find_rules_of(examination, find_destination(examination, destination))
        return EVENTS, rules

    return find


def _rules_with(examination: Examination, dead_letters: str) -> Senders:
    return lambda: (EVENTS, find_rules_with(examination, dead_letters))


def _topics(examination: Examination) -> Senders:
    def find() -> tuple[str, Mapping[str, str]]:
        arns = [examination.output(name) for name in TOPIC_OUTPUTS if examination.has(name)]
        return SNS, {arn.rpartition(":")[2]: arn for arn in arns}

    return find


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


def judge_redrive(reader: str, attributes: Mapping[str, str], dead_letters_arn: str | None) -> Iterator[Finding]:
    """Whether what the reader of a queue fails for goes to a dead-letter queue: the stack's own, if it has one."""
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if not target:
        yield broken(f"Events that {reader} fails for have no dead-letter queue: SQS deletes them when they expire.")
    elif dead_letters_arn and target != dead_letters_arn:
        yield broken(f"Events that {reader} fails for go to {target}, and not to {dead_letters_arn}.")


def judge_age(reader: str, seconds: float | None) -> Iterator[Finding]:
    """Whether events are read in time; None if there are none."""
    if seconds is not None and seconds >= OLDEST_SECONDS:
        yield broken(
            f"The oldest event has waited for {seconds / 60:.0f} minutes.",
            f"Read the log of the function {reader}, and the link about it.",
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


def _redrive(examination: Examination, queue: EventQueue) -> Part:
    def check() -> Iterator[Finding]:
        attributes = read_attributes(examination, examination.output(queue.output))
        if attributes is not None:
            output = queue.dead_letters_output
            own = examination.queue_arn(output) if examination.has(output) else None
            yield from judge_redrive(queue.reader, attributes, own)

    return check


def _age(examination: Examination, queue: EventQueue) -> Part:
    def check() -> Iterator[Finding]:
        attributes = read_attributes(examination, examination.output(queue.output))
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
        yield from judge_age(queue.reader, latest and latest["Maximum"])

    return check


def read_attributes(examination: Examination, url: str) -> Mapping[str, Any] | None:
    """The attributes of a queue; None if it does not exist. Raises Unanswered."""
    response = examination.read("sqs:GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    return None if response is None else response["Attributes"]
