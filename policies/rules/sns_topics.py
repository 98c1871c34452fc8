"""SNS topics: who may publish and subscribe, and whether services can publish."""

from ..aws import encryption
from ..aws.iam import policy_documents, resource_access, trusted_accounts
from ..aws.iam.policy_documents import Statement
from ..aws.iam.trusted_accounts import check_trusted_accounts
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule, stack_rule
from ..model.stack import Resource, Stack

EVENTS = "events.amazonaws.com"
PUBLISH = "sns:Publish"
ALARMS, S3 = "cloudwatch.amazonaws.com", "s3.amazonaws.com"
SERVICE_PUBLISHERS = (EVENTS, ALARMS, S3)
"""Services that publish as service principals, not with a role, and so must be in the key's policy."""
SOURCE_KEYS = frozenset({"aws:sourcearn", "aws:sourceaccount"})
"""Condition keys that EventBridge does not send when it uses the key of a topic."""
_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg"
_EVENTS_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"


@rule(
    resource_types.TOPIC,
    resource_types.TOPIC_POLICY,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-security-best-practices.html",
    parameters=trusted_accounts.PARAMETERS,
)
def topic_publishers_are_limited(
    holder: Resource, *, trusted_accounts: list[str], trusted_organizations: list[str]
) -> Complaints:
    """A topic policy does not let the public publish: Principal * needs a condition on a specific account or source.

    Set Principal to specific accounts, roles or services, or add a condition on aws:SourceArn or aws:PrincipalOrgID.
    """
    statements = policy_documents.statements(holder.value("policy"))
    for statement in policy_documents.public_statements(statements, PUBLISH):
        yield Finding(
            f"The policy of {holder.name} lets anyone publish: {statement.name} allows "
            f"{statement.actions_text} to Principal * with no condition that limits "
            "who may call.",
            "Set a Principal, or a condition on aws:SourceArn, aws:SourceAccount or aws:PrincipalOrgID.",
            about=statement.identify(holder),
        )
    yield from check_each(statements, lambda statement: policy_documents.unmatched_statement(holder, statement))
    yield from check_trusted_accounts(holder, statements, trusted_accounts, trusted_organizations)


@rule(
    resource_types.TOPIC,
    resource_types.TOPIC_POLICY,
    severity="critical",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-security-best-practices.html",
)
def topic_policy_is_not_open(holder: Resource) -> Complaints:
    """A topic policy does not let the public subscribe, or read or change the topic's settings.

    Set Principal to specific accounts or roles, or add a condition on aws:PrincipalOrgID or sns:Endpoint.
    """
    statements = policy_documents.statements(holder.value("policy"))
    publishing = {statement.index for statement in policy_documents.public_statements(statements, PUBLISH)}

    def check(statement: Statement) -> Complaints:
        if statement.index in publishing:
            return None
        return Finding(
            f"The policy of {holder.name} makes the topic public: {statement.name} allows "
            f"{statement.actions_text} to Principal * with no condition that limits "
            "who may call.",
            "Set a Principal, or a condition on aws:SourceAccount, aws:PrincipalOrgID or, to subscribe, sns:Endpoint.",
            about=statement.identify(holder),
        )

    yield from check_each(policy_documents.public_statements(statements), check)


@rule(
    resource_types.TOPIC,
    resource_types.TOPIC_POLICY,
    severity="high",
    enforcement="mandatory",
    link=f"{_EVENTS_GUIDE}#eb-sns-permissions",
)
def topic_policy_for_events_has_no_condition(holder: Resource) -> Complaints:
    """A topic policy allows EventBridge to publish without a condition: EventBridge does not support one.

    Add a statement for events.amazonaws.com without Condition.
    """
    for_events = [
        statement for statement in policy_documents.statements(holder.value("policy")) if _is_for_events(statement)
    ]
    conditional = [statement for statement in for_events if statement.conditions]
    if not conditional or len(conditional) < len(for_events):
        return None
    statement = conditional[0]
    keys = sorted({condition.name for condition in statement.conditions})
    return Finding(
        f"EventBridge cannot publish by the policy of {holder.name}: {statement.name} allows {EVENTS} to publish under "
        f"a condition on {', '.join(keys)}, and EventBridge supports no condition in a topic policy.",
        f"Add a statement for {EVENTS} without Condition.",
        about=statement.identify(holder),
    )


@stack_rule(
    resource_types.TOPIC,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-key-management.html",
)
def topic_key_admits_publishers(topic: Resource, stack: Stack) -> Complaints:
    """The services that publish to a topic may use its key.

    Allow kms:Decrypt and kms:GenerateDataKey to them in the key's policy.
    """
    if not topic.has(encryption.PATH):
        return
    key = None if encryption.is_aws_managed(topic) else encryption.find_key(stack, topic)
    if key is None and not encryption.is_aws_managed(topic):
        return
    key_policy = None if key is None else encryption.key_policy(stack, key)
    for service, publisher in encryption.find_senders(stack, topic, PUBLISH, SERVICE_PUBLISHERS, _PUBLISHING).items():
        if key is None:
            yield Finding(
                f"The topic {topic.name} cannot receive messages from {service} ({publisher}): kmsMasterKeyId is "
                f"{topic.value(encryption.PATH)}, whose policy cannot be changed.",
                f"Set kmsMasterKeyId to a key whose policy allows {service} to use it.",
            )
        elif missing := _missing(key_policy or [], service):
            state = "does not allow it" if key_policy else "is the default, which names no service"
            if any(encryption.may_use(statement, service, use) for statement in key_policy or [] for use in missing):
                state = "requires aws:SourceArn or aws:SourceAccount, which EventBridge does not send here"
            yield Finding(
                f"The topic {topic.name} cannot receive messages from {service} ({publisher}): the policy of its key "
                f"{key.name} {state}.",
                f"Allow {' and '.join(missing)} to {service} in the key policy"
                + (", without a condition on aws:SourceArn or aws:SourceAccount." if service == EVENTS else "."),
            )


@stack_rule(
    resource_types.TOPIC,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-access-policy-use-cases.html",
)
def topic_policy_admits_alarms(topic: Resource, stack: Stack) -> Complaints:
    """CloudWatch may publish to a topic that is an action of an alarm.

    Allow sns:Publish to cloudwatch.amazonaws.com in the topic policy, with a condition on the alarm's ARN.
    """
    if not stack.memoize(policy_documents.statements_about, topic):
        return
    alarms = {
        alarm.name: alarm
        for service, path, type_ in _PUBLISHING
        if service == ALARMS
        for alarm in stack.referring(topic, path, type_).certain
    }
    for alarm in alarms.values():
        request = resource_access.make_request(ALARMS, PUBLISH, topic, resource_access.known_arn(alarm))
        reason = resource_access.denial_reason(stack, topic, request)
        if reason and not _allows_own_account(stack, topic):
            yield Finding(
                f"The alarm {alarm.name} cannot publish to the topic {topic.name}: {reason}.",
                f"Allow sns:Publish to {ALARMS} in the topic policy, with a condition on aws:SourceArn that matches "
                "the alarm.",
            )


def _is_for_events(statement: Statement) -> bool:
    return statement.allows and EVENTS in statement.services and statement.covers(PUBLISH)


def _allows_own_account(stack: Stack, topic: Resource) -> bool:
    """Whether a statement is like that of the default policy, which allows alarms of the same account."""
    return any(
        statement.allows
        and statement.is_public()
        and statement.covers(PUBLISH)
        and "aws:sourceowner" in statement.condition_keys()
        for statement in stack.memoize(policy_documents.statements_about, topic) or ()
    )


_PUBLISHING = (
    (EVENTS, "arn", resource_types.EVENT_TARGET),
    *(
        (ALARMS, path, type_)
        for path in ("alarmActions", "okActions", "insufficientDataActions")
        for type_ in resource_types.ALARMS
    ),
    (S3, "topics.topicArn", resource_types.BUCKET_NOTIFICATION),
)
"""Publishing services, each with the property and type of the resource that refers to the topic."""


def _missing(statements: list[Statement], service: str) -> list[str]:
    """The actions for a topic that the policy of a key does not allow to a service."""
    if service == EVENTS:
        statements = [statement for statement in statements if not statement.condition_keys() & SOURCE_KEYS]
    return encryption.missing_key_actions(statements, service)
