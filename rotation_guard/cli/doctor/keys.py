"""The KMS keys of topics, queues, buckets and tables: enabled, and open to the services that need them.

EventBridge and CloudWatch cannot publish to a topic that is encrypted with the key that AWS manages for SNS
(https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .examination import Examination
from .layout import Kind
from .link import Check, Finding, broken, cannot_tell, note
from .queues import DEAD_LETTERS, EVENT_QUEUES, OF_RULES, OF_TOPICS, SNS, read_attributes
from .resource_policies import DENIED, UNKNOWN, Request, decide, parse
from .roles import EVENTS
from .tables import TABLES, read_table
from .topics import TOPIC_OUTPUTS, find_publishers
from .topics import read_attributes as read_topic

_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a service needs that sends to an encrypted topic or queue (the same page)."""
_AWS_MANAGED = ("alias/aws/sns", "alias/aws/sqs")
SNS_CONTEXT, SQS_CONTEXT = "kms:encryptioncontext:aws:sns:topicarn", "kms:encryptioncontext:aws:sqs:arn"
"""Condition keys of the encryption context
(https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html)."""
_QUEUE_SENDERS = {
    **{queue.output: EVENTS for queue in EVENT_QUEUES},
    **dict.fromkeys(OF_RULES, EVENTS),
    OF_TOPICS: SNS,
}


@dataclass(frozen=True)
class KeyUse:
    """A key, what it encrypts, and the services that send there."""

    key_id: str
    resource: str
    services: tuple[str, ...] = ()
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    """What SNS or SQS tells KMS about the call, as condition keys in lower case."""


def list_checks(examination: Examination) -> Iterable[Check]:
    """All keys in one link: which there are is known only once the rest is read."""
    return [Check("key", "KMS", (lambda: _check(examination),))]


def judge_key(key_id: str, description: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether a key can be used."""
    if description is None:
        yield broken(f"The key {key_id} does not exist.", "Set kmsKeyArn to a key that exists, and run `pulumi up`.")
        return
    metadata = description["KeyMetadata"]
    state = metadata.get("KeyState")
    if state == "PendingDeletion":
        when = metadata.get("DeletionDate")
        date = f" on {when:%Y-%m-%d}" if when else ""
        yield broken(
            f"The key {key_id} is scheduled for deletion{date}.",
            f"Run `aws kms cancel-key-deletion --key-id {key_id}`, and then `aws kms enable-key --key-id {key_id}`.",
        )
    elif state != "Enabled":
        yield broken(f"The key {key_id} is {state}.", f"Run `aws kms enable-key --key-id {key_id}`.")


def judge_key_policy(key_id: str, policy: object, uses: Iterable[KeyUse], account: str) -> Iterator[Finding]:
    """Whether the policy of a key admits the services that use it.

    For an encrypted topic EventBridge sends neither aws:SourceArn nor aws:SourceAccount, so that a statement with one
    of these conditions never applies (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions).
    """
    statements = parse(policy or "")
    results: dict[str, set[str]] = {}
    for use in uses:
        for service in use.services:
            judged, context = statements, {**use.encryption_context, "aws:sourceaccount": account}
            if service == EVENTS and SNS_CONTEXT in use.encryption_context:
                judged = [one for one in statements if one.get("Effect") != "Allow" or not _names_source(one)]
            for action in _ACTIONS:
                result = decide(judged, Request(action, service=service, context=context))
                results.setdefault(service, set()).add(result)
    for service, found in sorted(results.items()):
        if DENIED in found:
            yield broken(
                f"The policy of the key {key_id} does not admit {service}.",
                f"Allow {' and '.join(_ACTIONS)} to {service} in the policy of the key {key_id}, for topics without "
                "aws:SourceArn and aws:SourceAccount.",
            )
        elif UNKNOWN in found:
            yield cannot_tell(
                f"The policy of the key {key_id} has conditions for {service} that are not evaluated here.",
                "Read the policy, or send a drill.",
            )


def _names_source(statement: Mapping[str, Any]) -> bool:
    conditions = (statement.get("Condition") or {}).values()
    return any(key.lower() in ("aws:sourcearn", "aws:sourceaccount") for keys in conditions for key in keys)


def judge_aws_managed(use: KeyUse) -> Iterator[Finding]:
    """Whether services can send to what is encrypted with a key that AWS manages: they cannot."""
    if use.services:
        yield broken(
            f"{use.resource} is encrypted with {use.key_id}, which shuts {', '.join(use.services)} out.",
            "Encrypt it with a customer managed key, or not at all.",
        )


def _check(examination: Examination) -> Iterator[Finding]:
    uses = list(_find_uses(examination))
    by_key: dict[str, list[KeyUse]] = {}
    for use in uses:
        by_key.setdefault(use.key_id, []).append(use)
    if not by_key:
        yield note("No customer managed key is used.")
    for key_id, of_key in sorted(by_key.items()):
        if key_id.endswith(_AWS_MANAGED):
            for use in of_key:
                yield from judge_aws_managed(use)
            continue
        description = examination.read("kms:DescribeKey", KeyId=key_id)
        yield from judge_key(key_id, description)
        if description is not None and description["KeyMetadata"].get("KeyManager") != "AWS":
            policy = examination.read_existing("kms:GetKeyPolicy", KeyId=description["KeyMetadata"]["Arn"])
            yield from judge_key_policy(key_id, policy["Policy"], of_key, examination.account)


def _find_uses(examination: Examination) -> Iterator[KeyUse]:
    """The keys of the stack's topics, queues, trail, bucket and tables."""
    for output, topic in TOPIC_OUTPUTS.items():
        if not examination.has(output):
            continue
        attributes = read_topic(examination, examination.output(output)) or {}
        if key_id := attributes.get("KmsMasterKeyId"):
            context = {SNS_CONTEXT: attributes["TopicArn"]}
            yield KeyUse(key_id, f"The topic {topic}", tuple(find_publishers(examination, topic)), context)
    for output in (*(queue.output for queue in EVENT_QUEUES), *DEAD_LETTERS.values()):
        if not examination.has(output):
            continue
        attributes = read_attributes(examination, examination.output(output)) or {}
        if key_id := attributes.get("KmsMasterKeyId"):
            service = _QUEUE_SENDERS.get(output)
            context = {SQS_CONTEXT: attributes["QueueArn"]}
            yield KeyUse(key_id, f"The queue of {output}", (service,) if service else (), context)
    if examination.has("trail_arn"):
        described = examination.read_existing("cloudtrail:DescribeTrails", includeShadowTrails=True)["trailList"]
        for trail in described:
            if trail.get("TrailARN") == examination.output("trail_arn") and (key_id := trail.get("KmsKeyId")):
                yield KeyUse(key_id, f"The trail {trail['Name']}")
    if examination.has("reports_bucket_name"):
        name = examination.output("reports_bucket_name")
        encryption = examination.read("s3:GetEncryptionConfiguration", Bucket=name) or {}
        for rule in (encryption.get("ServerSideEncryptionConfiguration") or {}).get("Rules", ()):
            if key_id := (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("KMSMasterKeyID"):
                yield KeyUse(key_id, f"The bucket {name}")
    for output in TABLES.values():
        if not examination.expects(output):
            continue
        table = read_table(examination, examination.output(output)) or {}
        encryption = table.get("SSEDescription") or {}
        if encryption.get("SSEType") == "KMS" and (key_id := encryption.get("KMSMasterKeyArn")):
            yield KeyUse(key_id, f"The table of {output}")


def find_customer_key(examination: Examination) -> str | None:
    """The customer managed key that messages of the stack are encrypted with; None without one. Raises Unanswered."""
    output = "dead_letters_url" if examination.kind is Kind.MEMBER else "undelivered_events_dead_letters_url"
    attributes = read_attributes(examination, examination.output(output)) or {}
    return attributes.get("KmsMasterKeyId")
