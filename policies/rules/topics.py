"""Topics: who may publish to them, and what becomes of a notice that cannot be delivered."""

from .. import admission, encryption, kinds, policy_documents, trusted_accounts
from ..policy_documents import Statement
from ..rule import Complaints, each, rule, stack_rule
from ..stack import Resource, Stack
from ..trusted_accounts import complain_of_outsiders
from ..values import Undecided

EVENTS = "events.amazonaws.com"
SNS = "sns.amazonaws.com"
PUBLISH = "sns:Publish"
ALARMS, S3 = "cloudwatch.amazonaws.com", "s3.amazonaws.com"
KEYLESS_PUBLISHERS = (EVENTS, ALARMS, S3)
"""Services that publish as themselves and not as a role: the key's policy has to name them."""
SOURCE_KEYS = frozenset({"aws:sourcearn", "aws:sourceaccount"})
"""Conditions that EventBridge does not meet where it uses the key of a topic."""
TO_PEOPLE = ("email", "email-json", "sms")
"""Protocols for which dead letters serve nobody: there is nothing to deliver again."""

_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg"
_EVENTS_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"


@rule(
    kinds.TOPIC,
    kinds.TOPIC_POLICY,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-security-best-practices.html",
    parameters=trusted_accounts.PARAMETERS,
)
def topic_publishers_are_limited(
    holder: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """Not everybody may publish to a topic: what is for everybody is held to a known account or source."""
    found = policy_documents.statements(holder.value("policy"))
    for statement in policy_documents.open_statements(found, PUBLISH):
        yield (
            f"The policy of {holder.name} lets everybody publish: {statement.name} allows "
            f"{', '.join(statement.actions) or 'all but some actions'} to Principal * without a condition that says "
            "whose. Set a Principal, or a condition on aws:SourceArn, aws:SourceAccount or aws:PrincipalOrgID."
        )
    yield from each(found, lambda one: policy_documents.unmatched_statement(holder, one))
    yield from complain_of_outsiders(holder, found, trusted_accounts, trusted_organizations)


@rule(
    kinds.TOPIC,
    kinds.TOPIC_POLICY,
    severity="high",
    enforcement="mandatory",
    link=f"{_EVENTS_GUIDE}#eb-sns-permissions",
)
def topic_policy_for_events_has_no_condition(holder: Resource) -> Complaints:
    """A topic's policy lets EventBridge publish without a condition: with one, AWS does not deliver."""
    found = [one for one in policy_documents.statements(holder.value("policy")) if _is_for_events(one)]
    conditional = [one for one in found if one.conditions]
    if not conditional or len(conditional) < len(found):
        return None
    statement = conditional[0]
    return (
        f"The policy of {holder.name} keeps EventBridge out: {statement.name} lets {EVENTS} publish under a condition "
        f"on {', '.join(sorted(statement.condition_keys()))}, and EventBridge meets none at a topic. "
        f"Set a statement for {EVENTS} alone, without Condition."
    )


@stack_rule(
    kinds.TOPIC,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-key-management.html",
)
def topic_key_admits_publishers(topic: Resource, stack: Stack) -> Complaints:
    """A topic is encrypted with a key that the services which publish to it may use."""
    if not topic.has(encryption.PATH):
        return
    key = None if encryption.is_by_aws(topic) else encryption.key(stack, topic)
    if key is None and not encryption.is_by_aws(topic):
        return
    found = None if key is None else encryption.policy(stack, key)
    for service, publisher in encryption.senders(stack, topic, PUBLISH, KEYLESS_PUBLISHERS, _PUBLISHING).items():
        if key is None:
            yield (
                f"The topic {topic.name} cannot take what {service} publishes ({publisher}): kmsMasterKeyId is "
                f"{topic.value(encryption.PATH)}, whose policy nobody can change. Set kmsMasterKeyId to a key whose "
                f"policy lets {service} use it."
            )
        elif missing := _missing(found or [], service):
            state = "does not name it" if found else "is AWS's own, which names no service"
            if any(encryption.may_use(one, service, use) for one in found or [] for use in missing):
                state = "asks for aws:SourceArn or aws:SourceAccount, which EventBridge does not bring along here"
            yield (
                f"The topic {topic.name} cannot take what {service} publishes ({publisher}): the policy of its key "
                f"{key.name} {state}. Let {service} {' and '.join(missing)} there"
                + (", without a condition on aws:SourceArn or aws:SourceAccount." if service == EVENTS else ".")
            )


@stack_rule(
    kinds.TOPIC,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-access-policy-use-cases.html",
)
def topic_policy_admits_alarms(topic: Resource, stack: Stack) -> Complaints:
    """A topic that an alarm notifies has a policy that lets CloudWatch publish, or the one that AWS gives it."""
    if not stack.once(policy_documents.statements_about, topic):
        return
    alarms = {
        alarm.name: alarm
        for service, path, type_ in _PUBLISHING
        if service == ALARMS
        for alarm in stack.referring(topic, path, type_).certain
    }
    for alarm in alarms.values():
        asked = admission.request(ALARMS, PUBLISH, topic, admission.known_arn(alarm))
        why = admission.refusal(stack, topic, asked)
        if why and not _is_open_to_its_account(stack, topic):
            yield (
                f"The topic {topic.name} does not get what the alarm {alarm.name} says: {why}. "
                f"Let {ALARMS} sns:Publish there, with a condition on aws:SourceArn that holds for the alarm."
            )


@rule(
    kinds.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-dead-letter-queues.html",
)
def topic_subscription_has_dead_letters(subscription: Resource) -> Complaints:
    """A subscription has dead letters, unless it is for e-mail or SMS: SNS drops what it cannot deliver."""
    protocol = subscription.text("protocol")
    if protocol is None or protocol.lower() in TO_PEOPLE or subscription.has("redrivePolicy.deadLetterTargetArn"):
        return None
    return (
        f"The subscription {subscription.name} loses notices that {protocol} does not take: "
        "redrivePolicy.deadLetterTargetArn is absent. Set it to the ARN of a queue whose policy lets "
        f"{SNS} send."
    )


@stack_rule(
    kinds.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-configure-dead-letter-queue.html",
)
def topic_dead_letters_are_reachable(subscription: Resource, stack: Stack) -> Complaints:
    """The dead letters of a subscription are a queue of the topic's kind, whose policy lets SNS send for this topic."""
    topic, arn = _topic(stack, subscription)
    why = admission.out_of_reach(
        stack, subscription, "redrivePolicy.deadLetterTargetArn", SNS, arn, standard=_is_standard(topic, arn)
    )
    return why and f"The dead letters of the subscription {subscription.name} are lost: {why} for its topic."


def _is_for_events(statement: Statement) -> bool:
    return statement.allows and EVENTS in statement.services and statement.covers(PUBLISH)


def _is_open_to_its_account(stack: Stack, topic: Resource) -> bool:
    """Whether a statement is like that of the policy that AWS gives a topic, which alarms of its account pass."""
    return any(
        one.allows and one.opens_to_anyone() and one.covers(PUBLISH) and "aws:sourceowner" in one.condition_keys()
        for one in stack.once(policy_documents.statements_about, topic) or ()
    )


def _topic(stack: Stack, subscription: Resource) -> tuple[Resource | None, str | None]:
    """The topic of a subscription, and its ARN, as far as they are known."""
    try:
        topic = stack.target(subscription, "topic", kinds.TOPIC)
    except Undecided:
        topic = None
    given = subscription.value("topic")
    return topic, given if isinstance(given, str) else admission.known_arn(topic)


def _is_standard(topic: Resource | None, arn: str | None) -> bool:
    """Whether a topic is certainly no FIFO topic."""
    if topic is not None:
        return not topic.flag("fifoTopic", absent=False)
    return arn is not None and not arn.endswith(".fifo")


_PUBLISHING = (
    (EVENTS, "arn", kinds.EVENT_TARGET),
    *(
        (ALARMS, path, type_)
        for path in ("alarmActions", "okActions", "insufficientDataActions")
        for type_ in kinds.ALARMS
    ),
    (S3, "topics.topicArn", kinds.BUCKET_NOTIFICATION),
)
"""A service that publishes, and where what makes it publish names the topic."""


def _missing(found: list[Statement], service: str) -> list[str]:
    """What the policy of a key does not let a service do for a topic."""
    if service == EVENTS:
        found = [one for one in found if not one.condition_keys() & SOURCE_KEYS]
    return encryption.missing(found, service)
