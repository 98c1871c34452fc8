"""EventBridge targets: events are delivered, and kept in a dead-letter queue if they cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..aws import arns, delivery
from ..aws.function_permissions import Caller
from ..aws.iam import policy_documents, resource_access, role_permissions, wildcards
from ..aws.iam.policy_documents import Statement
from ..aws.iam.resource_access import make_request
from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided, all_of, any_of

EVENTS = "events.amazonaws.com"
AWS_AGE_SECONDS = 86_400
AWS_ATTEMPTS = 185

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"


@rule(resource_types.EVENT_TARGET, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-rule-dlq.html")
def event_target_has_dead_letters(target: Resource) -> Complaints:
    """A rule's target has a dead-letter queue: without one, an event that cannot be delivered is dropped.

    Set deadLetterConfig.arn to a standard queue whose policy allows events.amazonaws.com to send.
    """
    if target.has("deadLetterConfig.arn"):
        return None
    return Finding(
        f"The target {target.name} loses events that cannot be delivered: deadLetterConfig.arn is absent.",
        "Set deadLetterConfig.arn to the ARN of a standard queue whose policy allows events.amazonaws.com to send.",
    )


@stack_rule(
    resource_types.EVENT_TARGET,
    resource_types.EVENT_BUS,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/eb-rule-dlq.html",
)
def event_target_dead_letters_are_reachable(target: Resource, stack: Stack) -> Complaints:
    """The dead-letter queue of a rule's target, or of a bus, is a standard queue that EventBridge may send to.

    Allow sqs:SendMessage to events.amazonaws.com in the queue's policy, with a condition on the ARN of the rule or bus.
    """
    if target.type == resource_types.EVENT_BUS:
        obstacle = resource_access.find_delivery_obstacle(
            stack, target, "deadLetterConfig.arn", EVENTS, resource_access.known_arn(target)
        )
        return obstacle and obstacle.prefix(f"Failed events of the bus {target.name} are lost: ")
    obstacle = resource_access.find_delivery_obstacle(
        stack, target, "deadLetterConfig.arn", EVENTS, _rule_arn(stack, target)
    )
    return obstacle and obstacle.prefix(f"Failed events of the target {target.name} are lost: ")


@rule(
    resource_types.EVENT_TARGET,
    severity="low",
    enforcement="advisory",
    link=f"{_GUIDE}/eb-rule-retry-policy.html",
    parameters={
        "maxEventAgeSeconds": {
            "type": "integer",
            "minimum": 60,
            "maximum": AWS_AGE_SECONDS,
            "default": AWS_AGE_SECONDS,
            "description": "Longest time, in seconds, to retry the delivery of an event.",
        },
        "maxRetryAttempts": {
            "type": "integer",
            "minimum": 0,
            "maximum": AWS_ATTEMPTS,
            "default": AWS_ATTEMPTS,
            "description": "Most retries of the delivery of an event.",
        },
    },
)
def event_target_retries_are_bounded(
    target: Resource, *, max_event_age_seconds: int, max_retry_attempts: int
) -> Complaints:
    """A rule's target limits its retries: by default an event may be delivered up to 24 hours late, after 185 retries.

    Set retryPolicy.maximumEventAgeInSeconds to how long a late event is still useful.
    """
    age = target.number("retryPolicy.maximumEventAgeInSeconds", absent=AWS_AGE_SECONDS)
    attempts = target.number("retryPolicy.maximumRetryAttempts", absent=AWS_ATTEMPTS)
    as_aws = age >= AWS_AGE_SECONDS and attempts >= AWS_ATTEMPTS
    if not as_aws and age <= max_event_age_seconds and attempts <= max_retry_attempts:
        return None
    source = "set by retryPolicy" if target.has("retryPolicy") else "retryPolicy is absent"
    return Finding(
        f"The target {target.name} retries a delivery for up to {age} s and {attempts} times: {source}.",
        "Set retryPolicy.maximumEventAgeInSeconds to how long a late event is still useful"
        + (f", {max_event_age_seconds} or less" if max_event_age_seconds < AWS_AGE_SECONDS else "")
        + (f", and maximumRetryAttempts to {max_retry_attempts} or less." if attempts > max_retry_attempts else "."),
    )


@stack_rule(
    resource_types.EVENT_TARGET, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-use-resource-based.html"
)
def event_target_is_permitted(target: Resource, stack: Stack) -> Complaints:
    """EventBridge may deliver to a rule's target, by the target's resource policy or by a role.

    Allow events.amazonaws.com in the policy of the function, queue or topic; for other targets set roleArn.
    """
    by_policy = stack.target(target, "arn", *delivery.DESTINATIONS)
    if by_policy is not None:
        return _check_policy(target, stack, by_policy)
    return _check_role(target, stack)


# --- Lambda, SQS and SNS: resource policies ---------------------------------------------------------------------------


def _check_policy(target: Resource, stack: Stack, to: Resource) -> Finding | None:
    """Check that the policy of a function, queue or topic allows EventBridge."""
    if to.type == resource_types.TOPIC:
        obstacle = _check_topic_policy(target, stack, to)
    else:
        caller = Caller(EVENTS, "events", "rule", _rule(stack, target), _rule_arn(stack, target))
        obstacle = delivery.find_obstacle(stack, target.value("arn"), to, caller)
    if obstacle is None or _role_allows(target, stack, to):
        return None
    return obstacle.prefix(f"The target {target.name} cannot reach {to.name}: ")


def _check_topic_policy(target: Resource, stack: Stack, topic: Resource) -> Finding | None:
    request = make_request(EVENTS, "sns:Publish", topic, _rule_arn(stack, target))

    def allows(statement: Statement) -> bool:
        # topic-policy-for-events-has-no-condition reports conditions.
        named = EVENTS in statement.services
        is_unconditional = named or not statement.conditions
        return (
            statement.allows
            and (named or statement.is_public())
            and statement.covers(request.action)
            and statement.covers_resource(request.resource)
            and (
                is_unconditional
                or all_of(statement.conditions, lambda condition: resource_access.holds(condition, request))
            )
        )

    policy = stack.memoize(policy_documents.statements_about, topic)
    if policy is None and topic.external:
        values.raise_undecided("the topic's policy is unknown")
    if policy is None:
        reason = f"{topic.name} has no policy, so only its own account may publish, and no service"
    elif not any_of(policy, allows):
        reason = f"the policy of {topic.name} does not allow sns:Publish to {EVENTS}"
    else:
        return None
    return Finding(f"{reason}.", f"Allow sns:Publish to {EVENTS} in a TopicPolicy, without a condition.")


# --- other targets: roles --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RequiredAction:
    """An action that a target's role needs."""

    arns: str
    """Pattern of the service and the resource type in the target's ARN."""
    actions: tuple[str, ...]
    """Alternatives, of which one is enough."""
    elsewhere: bool = False
    """Whether the action is on another resource than the target, such as a task definition."""


_BY_DOCUMENT = ("ssm:StartAutomationExecution", "ssm:SendCommand")
_BY_ROLE: Mapping[str, RequiredAction] = {
    resource_types.STATE_MACHINE: RequiredAction("states:stateMachine", ("states:StartExecution",)),
    resource_types.API_DESTINATION: RequiredAction("events:api-destination", ("events:InvokeApiDestination",)),
    resource_types.EVENT_BUS: RequiredAction("events:event-bus", ("events:PutEvents",)),
    "aws:kinesis/stream:Stream": RequiredAction("kinesis:stream", ("kinesis:PutRecord", "kinesis:PutRecords")),
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": RequiredAction(
        "firehose:deliverystream", ("firehose:PutRecord", "firehose:PutRecordBatch")
    ),
    "aws:ecs/cluster:Cluster": RequiredAction("ecs:cluster", ("ecs:RunTask",), elsewhere=True),
    "aws:batch/jobQueue:JobQueue": RequiredAction("batch:job-queue", ("batch:SubmitJob",), elsewhere=True),
    "aws:codebuild/project:Project": RequiredAction("codebuild:project", ("codebuild:StartBuild",)),
    "aws:codepipeline/pipeline:Pipeline": RequiredAction("codepipeline:*", ("codepipeline:StartPipelineExecution",)),
    "aws:ssm/document:Document": RequiredAction("ssm:document", _BY_DOCUMENT, elsewhere=True),
}
_WITHOUT_PULUMI_TYPE = (RequiredAction("ssm:automation-definition", _BY_DOCUMENT, elsewhere=True),)


def _check_role(target: Resource, stack: Stack) -> Finding | None:
    """Check that the role of a target allows EventBridge to call it, where it needs one."""
    to = stack.target(target, "arn", *_BY_ROLE)
    on = to or target.text("arn") or ""
    needed = _BY_ROLE[to.type] if to is not None else _needed(str(on))
    if needed is None or (needed is _BY_ROLE[resource_types.EVENT_BUS] and _needs_no_role(stack, target, on)):
        return None
    action = needed.actions[0]
    short = f"The target {target.name} cannot reach {to.name if to is not None else on}"
    if not target.has("roleArn"):
        return Finding(
            f"{short}: roleArn is absent, and EventBridge needs a role for it.",
            f"Set roleArn to a role that {EVENTS} may assume and that allows {action}.",
        )
    role = stack.target(target, "roleArn", resource_types.ROLE)
    if role is None or role.external:
        return None
    if not _trusts(role, stack, target):
        return Finding(
            f"{short}: the trust policy of its role {role.name} does not allow {EVENTS} to assume it for this rule.",
            f"Allow sts:AssumeRole to the Service {EVENTS} in the trust policy.",
        )
    if any_of(
        needed.actions,
        lambda alternative: _role_may_perform(stack, role, alternative, None if needed.elsewhere else on),
    ):
        return None
    return Finding(
        f"{short}: no policy of its role {role.name} allows {action} on it.", f"Allow {action} in a policy of the role."
    )


def _needed(arn: str) -> RequiredAction | None:
    """The action that a role needs for the target with this ARN; None where it needs no role or is unknown."""
    parts = arns.parse(arn)
    if parts is None:
        return None
    kind, _, name = parts.resource.replace(":", "/").partition("/")
    for needed in (*_BY_ROLE.values(), *_WITHOUT_PULUMI_TYPE):
        if wildcards.matches(needed.arns, f"{parts.service}:{kind}"):
            # A policy may name the state machine or its version or alias.
            return replace(needed, elsewhere=True) if parts.service == "states" and "/" in name else needed
    return None


def _needs_no_role(stack: Stack, target: Resource, bus: Resource | str) -> bool:
    """Whether a target is a bus in the same account and Region, which needs no role."""
    if target.has("roleArn"):
        return False
    places = [
        (parts.region, parts.account)
        for arn in (_rule_arn(stack, target), bus if isinstance(bus, str) else resource_access.known_arn(bus))
        if (parts := arns.parse(arn or ""))
    ]
    return len(places) < 2 or places[0] == places[1]


def _trusts(role: Resource, stack: Stack, target: Resource) -> bool:
    try:
        return resource_access.trusts(role, EVENTS, _rule_arn(stack, target))
    except Undecided:
        return True


def _role_may_perform(stack: Stack, role: Resource, action: str, on: Resource | str | None) -> bool:
    """Whether a role may perform an action on a resource, or on any resource where it is None."""
    if on is not None:
        return role_permissions.allows(stack, role, action, on)
    return role_permissions.allows_somewhere(stack, role, action)


def _role_allows(target: Resource, stack: Stack, to: Resource) -> bool:
    """Whether the target has a role, although it needs none, and the role allows the call."""
    if not target.has("roleArn"):
        return False
    role = stack.target(target, "roleArn", resource_types.ROLE)
    if role is None or role.external:
        return True
    return _role_may_perform(stack, role, role_permissions.SEND_ACTIONS[to.type], to)


def _rule(stack: Stack, target: Resource) -> Resource | None:
    """The rule of a target; None where it is not in this stack or ambiguous."""
    try:
        return stack.target(target, "rule", resource_types.EVENT_RULE)
    except Undecided:
        return None


def _rule_arn(stack: Stack, target: Resource) -> str | None:
    return resource_access.known_arn(_rule(stack, target))
