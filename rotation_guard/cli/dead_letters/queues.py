"""The dead-letter queues of a deployment, found among the stack's outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rotation_guard.domain.dead_letters.dead_letter import Sender

from ..deployment import Deployment
from ..errors import Unreachable, UsageError

OUTPUT_SUFFIX = "dead_letters_url"
"""Every output that is a dead-letter queue ends like this."""
AUDIT_QUEUE_OUTPUT = "audit_queue_url"
_FORMER = {"audit_dead_letters_url": "unrecorded_events_dead_letters_url"}
"""Former names of outputs -> the names of today."""
_UNNAMED = "dead-letters"
"""The short name of the output `dead_letters_url`, which a component that is placed alone has."""


@dataclass(frozen=True)
class Purpose:
    """What a queue is for."""

    holds: str
    """What is in it, as a noun."""
    sender: Sender
    """Who sends to it, for messages that do not say so."""
    is_optional: bool = False
    """Whether a complete stack may be without it."""


PURPOSES: Mapping[str, Purpose] = {
    "undelivered-events": Purpose("events that a target of a rule did not take", Sender.RULE),
    "unrecorded-events": Purpose("events that could not be recorded", Sender.QUEUE, is_optional=True),
    "unstarted-remediations": Purpose("events for which remediation could not be started", Sender.FUNCTION),
    "failed-audits": Purpose("audits that could not be started, or failed", Sender.FUNCTION),
    "undelivered-notices": Purpose(
        "notifications that a subscriber did not take", Sender.SUBSCRIPTION, is_optional=True
    ),
    "undelivered-incidents": Purpose(
        "incidents that a chat, a pager or a webhook did not take", Sender.RULE, is_optional=True
    ),
    "unimported-findings": Purpose(
        "reports that Security Hub did not take as findings", Sender.FUNCTION, is_optional=True
    ),
    "failed-reports": Purpose("reports that could not be stored", Sender.FUNCTION, is_optional=True),
    "unrecorded-reports": Purpose("reports of members that a hub could not record", Sender.QUEUE, is_optional=True),
    "failed-runs": Purpose("redeliveries of a member that failed", Sender.FUNCTION, is_optional=True),
}
"""By short name. A program may export others, whose messages say who sent them."""
_OTHER = Purpose("messages that were given up", Sender.UNKNOWN)


@dataclass(frozen=True)
class DeadLetterQueue:
    """One dead-letter queue."""

    name: str
    """Its short name: that of its output, such as `undelivered-events`."""
    url: str

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return PURPOSES.get(self.name, _OTHER)

    @property
    def queue_name(self) -> str:
        """Its name in SQS, with which its URL ends
        (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html).
        """
        return self.url.rpartition("/")[2]

    @property
    def account(self) -> str:
        """The account in its URL."""
        return ("", *self.url.split("/"))[-2]


def find_queues(deployment: Deployment) -> tuple[list[DeadLetterQueue], list[str]]:
    """The dead-letter queues of a deployment, and warnings about those that an older stack does not name.

    Raises Unreachable if the outputs name none.
    """
    urls = {
        _FORMER.get(name, name): value
        for name, value in sorted(deployment.outputs.items())
        if name.endswith(OUTPUT_SUFFIX) and isinstance(value, str) and value
    }
    if not urls:
        raise Unreachable(
            f"The outputs of {deployment.description} must name dead-letter queues, such as "
            f"undelivered_events_{OUTPUT_SUFFIX}, got {', '.join(sorted(deployment.outputs)) or 'none'}: deploy this "
            "release by `pulumi up`, and write the stack's outputs again."
        )
    queues = {name: DeadLetterQueue(name, url) for output, url in urls.items() for name in [_short_name(output)]}
    order = {name: position for position, name in enumerate(PURPOSES)}
    listed = sorted(queues.values(), key=lambda queue: (order.get(queue.name, len(order)), queue.name))
    return listed, _describe_missing(deployment, queues)


def choose_queues(queues: Sequence[DeadLetterQueue], names: Sequence[str]) -> list[DeadLetterQueue]:
    """The queues with these names: short names, names of outputs, or names in SQS. All without names."""
    if not names:
        return [*queues]
    chosen = []
    for name in names:
        matches = [
            queue for queue in queues if _normalize(name) in (queue.name, _normalize(queue.queue_name), queue.url)
        ]
        if not matches:
            known = ", ".join(queue.name for queue in queues)
            raise UsageError(f"--queue must be one of {known}, got {name!r}.")
        chosen += matches
    return [*dict.fromkeys(chosen)]


def _normalize(name: str) -> str:
    text = name.strip()
    return _short_name(_FORMER.get(text, text)) if text.endswith(OUTPUT_SUFFIX) else text.lower()


def _short_name(output: str) -> str:
    return output.removesuffix(OUTPUT_SUFFIX).strip("_").replace("_", "-") or _UNNAMED


def _describe_missing(deployment: Deployment, queues: Mapping[str, DeadLetterQueue]) -> list[str]:
    """A warning if a complete stack has queues that these outputs do not name."""
    if "state_machine_arn" not in deployment.outputs:
        return []  # A component that is placed alone has those of its own only.
    missing = [name for name, purpose in PURPOSES.items() if not purpose.is_optional and name not in queues]
    if not missing:
        return []
    outputs = ", ".join(f"{name.replace('-', '_')}_{OUTPUT_SUFFIX}" for name in missing)
    return [
        f"The outputs of {deployment.description} do not have {outputs}, so these queues are not shown: deploy this "
        "release by `pulumi up`, and write the stack's outputs again."
    ]
