"""Targets of rules: what is sent arrives, and what does not arrive is not lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import admission, arns, kinds, policy_documents, role_permissions, values, wildcards
from ..admission import any_of, request
from ..policy_documents import Statement
from ..rule import Complaints, rule, stack_rule
from ..stack import Resource, Stack
from ..values import Mark, Undecided

EVENTS = "events.amazonaws.com"
INVOKE = "lambda:InvokeFunction"
AWS_AGE_SECONDS = 86_400
AWS_ATTEMPTS = 185

_GUIDE = "https://docs.aws.amazon.com/eventbridge/latest/userguide"


@rule(kinds.EVENT_TARGET, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-rule-dlq.html")
def event_target_has_dead_letters(target: Resource) -> Complaints:
    """A rule's target has dead letters: without them an event that cannot be delivered is dropped."""
    if target.has("deadLetterConfig.arn"):
        return None
    return (
        f"The target {target.name} loses events that cannot be delivered: deadLetterConfig.arn is absent. "
        "Set it to the ARN of a standard queue whose policy lets events.amazonaws.com send."
    )


@stack_rule(kinds.EVENT_TARGET, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-rule-dlq.html")
def event_target_dead_letters_are_reachable(target: Resource, stack: Stack) -> Complaints:
    """The dead letters of a rule's target are a standard queue whose policy lets EventBridge send for this rule."""
    why = admission.out_of_reach(stack, target, "deadLetterConfig.arn", EVENTS, _rule_arn(stack, target))
    return why and f"The dead letters of the target {target.name} are lost: {why} for its rule."


@rule(
    kinds.EVENT_TARGET,
    severity="low",
    enforcement="advisory",
    link=f"{_GUIDE}/eb-rule-retry-policy.html",
    parameters={
        "maxEventAgeSeconds": {
            "type": "integer",
            "minimum": 60,
            "maximum": AWS_AGE_SECONDS,
            "default": AWS_AGE_SECONDS,
            "description": "How old an event may become before it is a dead letter.",
        },
        "maxRetryAttempts": {
            "type": "integer",
            "minimum": 0,
            "maximum": AWS_ATTEMPTS,
            "default": AWS_ATTEMPTS,
            "description": "How often its delivery may be tried again.",
        },
    },
)
def event_target_retries_are_bounded(
    target: Resource, *, max_event_age_seconds: int, max_retry_attempts: int
) -> Complaints:
    """A rule's target bounds its retries: left to AWS, an event may arrive a day late, after 185 attempts."""
    age = target.number("retryPolicy.maximumEventAgeInSeconds", absent=AWS_AGE_SECONDS)
    attempts = target.number("retryPolicy.maximumRetryAttempts", absent=AWS_ATTEMPTS)
    as_aws = age >= AWS_AGE_SECONDS and attempts >= AWS_ATTEMPTS
    if not as_aws and age <= max_event_age_seconds and attempts <= max_retry_attempts:
        return None
    found = "as retryPolicy says" if target.has("retryPolicy") else "because retryPolicy is absent"
    return (
        f"The target {target.name} is tried for {age} s and {attempts} times, {found}. Set "
        f"retryPolicy.maximumEventAgeInSeconds to the time for which an event is still news"
        + (f", {max_event_age_seconds} or less" if max_event_age_seconds < AWS_AGE_SECONDS else "")
        + (f", and maximumRetryAttempts to {max_retry_attempts} or less." if attempts > max_retry_attempts else ".")
    )


@stack_rule(kinds.EVENT_TARGET, severity="high", enforcement="mandatory", link=f"{_GUIDE}/eb-use-resource-based.html")
def event_target_is_permitted(target: Resource, stack: Stack) -> Complaints:
    """A rule may do what its target asks for: by the target's own policy, or by a role."""
    by_policy = stack.target(target, "arn", *_BY_POLICY)
    if by_policy is not None:
        return _unpermitted_by_policy(target, stack, by_policy)
    return _unpermitted_by_role(target, stack)


# --- Lambda, SQS and SNS: their own policies -------------------------------------------------------------------------


def _unpermitted_by_policy(target: Resource, stack: Stack, to: Resource) -> str | None:
    """Why EventBridge is kept out by the policy of a function, queue or topic; None where it is not."""
    why, advice = _BY_POLICY[to.type](target, stack, to)
    if why is None or _role_lets(target, stack, to):
        return None
    return f"The target {target.name} does not reach {to.name}: {why}. {advice}"


def _kept_out_of_queue(target: Resource, stack: Stack, queue: Resource) -> tuple[str | None, str]:
    asked = request(EVENTS, "sqs:SendMessage", queue, _rule_arn(stack, target))
    return (
        admission.refusal(stack, queue, asked),
        f"Let {EVENTS} sqs:SendMessage in a QueuePolicy, with a condition on aws:SourceArn that holds for the rule.",
    )


def _kept_out_of_topic(target: Resource, stack: Stack, topic: Resource) -> tuple[str | None, str]:
    asked = request(EVENTS, "sns:Publish", topic, _rule_arn(stack, target))

    def lets(statement: Statement) -> bool:
        # What conditions do to EventBridge is a rule of its own.
        named = EVENTS in statement.services
        plain = named or not statement.conditions
        return (
            statement.allows
            and (named or statement.opens_to_anyone())
            and statement.covers(asked.action)
            and statement.covers_resource(asked.resource)
            and (plain or admission.all_of(statement.conditions, lambda one: admission.holds(one, asked)))
        )

    found = stack.once(policy_documents.statements_about, topic)
    if found is None and topic.looked_up:
        values.undecided("its policy is not this program's")
    why = None
    if found is None:
        why = f"{topic.name} has no policy, so that only its own account may publish, and no service"
    elif not any_of(found, lets):
        why = f"the policy of {topic.name} does not let {EVENTS} sns:Publish"
    return why, f"Let {EVENTS} sns:Publish in a TopicPolicy, without a condition."


def _kept_out_of_function(target: Resource, stack: Stack, to: Resource) -> tuple[str | None, str]:
    """No Permission of the function, or none for the alias that is called, is for this rule."""
    function = stack.target(to, "functionName", kinds.FUNCTION) if to.type == kinds.FUNCTION_ALIAS else to
    advice = f"Add a Permission of {to.name}: action {INVOKE}, principal {EVENTS}, sourceArn of the rule."
    if function is None:
        values.undecided("an alias of a function elsewhere")
    event_rule = _rule(stack, target)
    called = _qualifier(target, to)
    found = [stack.referring(one, "function", kinds.FUNCTION_PERMISSION) for one in dict.fromkeys((function, to))]
    given = [permission for each in found for permission in each.certain]
    about = [one for each in dict.fromkeys((function, to)) for one in _permissions_about(stack, each, event_rule)]
    if any_of(about, lambda permission: _permits(permission, stack, event_rule, called)):
        return None, advice
    if function.looked_up or any(each.undecided for each in found):
        values.undecided("a permission may be elsewhere")
    names = ", ".join(dict.fromkeys(one.name for one in given))
    if not given:
        return f"{function.name} has no Permission", advice
    return f"no Permission of {function.name} is for {EVENTS} and this rule (found: {names})", advice


def _permissions_about(stack: Stack, function: Resource, event_rule: Resource | None) -> list[Resource]:
    """The permissions of a function that may be for this rule: all but those that name another one."""
    by_source = stack.once(_permissions_by_source, function)
    arn = admission.known_arn(event_rule)
    if event_rule is None or arn is None:
        # At a preview, ARNs that are written out may be the rule's.
        own = event_rule.urn if event_rule is not None else ""
        return [
            one
            for source, found in by_source.items()
            if not own or source == own or not source.startswith("urn:")
            for one in found
        ]
    return [one for source in ("", arn, event_rule.urn) for one in by_source.get(source, ())]


def _permissions_by_source(stack: Stack, function: Resource) -> dict[str, list[Resource]]:
    """By the ARN or the URN of the one rule that each names; those that name none, or several, by an empty text."""
    found: dict[str, list[Resource]] = {}
    for permission in stack.referring(function, "function", kinds.FUNCTION_PERMISSION).certain:
        given = permission.value("sourceArn")
        source = given if isinstance(given, str) and not {"*", "?"} & set(given) else ""
        if isinstance(given, Mark):
            source = getattr(_source(stack, permission), "urn", "")
        found.setdefault(source, []).append(permission)
    return found


def _source(stack: Stack, permission: Resource) -> Resource | None:
    try:
        return stack.target(permission, "sourceArn", kinds.EVENT_RULE)
    except Undecided:
        return None


def _permits(permission: Resource, stack: Stack, event_rule: Resource | None, called: str | Mark | None) -> bool:
    if permission.text("principal") not in (EVENTS, "*"):
        return False
    if not policy_documents.matches(permission.text("action") or "", INVOKE):
        return False
    allowed = _qualifier_of_permission(permission)
    if allowed != called:
        if isinstance(allowed, Mark) or isinstance(called, Mark):
            values.undecided("which version or alias")
        return False
    if not permission.has("sourceArn"):
        return True
    given = permission.value("sourceArn")
    if isinstance(given, str):
        arn = admission.known_arn(event_rule)
        return _may_be(given) if arn is None else wildcards.matches(given, arn)
    found = stack.target(permission, "sourceArn", kinds.EVENT_RULE)
    if found is None or event_rule is None:
        values.undecided("the source of a permission")
    return found is event_rule


def _may_be(source_arn: str) -> bool:
    """No where an ARN can be no rule's at all; else nobody can tell."""
    found = arns.parts(source_arn)
    if found is not None and found[1] not in ("events", "*"):
        return False
    return values.undecided("the rule's ARN is not known yet")


def _qualifier(target: Resource, to: Resource) -> str | Mark | None:
    """The version or alias that is called; None for the function itself."""
    if to.type == kinds.FUNCTION_ALIAS:
        return to.props.get("name", values.UNKNOWN)
    return _qualifier_in(target.value("arn"))


def _qualifier_of_permission(permission: Resource) -> str | Mark | None:
    if permission.has("qualifier"):
        return permission.value("qualifier")
    return _qualifier_in(permission.value("function"))


def _qualifier_in(value: Any) -> str | Mark | None:
    if not isinstance(value, str):
        return values.UNKNOWN
    found = arns.function(value)
    return found[1] if found else None


# --- the others: a role ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Needed:
    """What a role has to allow for a target."""

    arns: str
    """Service and kind of resource in the target's ARN, as a pattern."""
    actions: tuple[str, ...]
    """One of them is enough."""
    elsewhere: bool = False
    """Whether they are done to something else than what the target names, such as a task definition."""


_BY_DOCUMENT = ("ssm:StartAutomationExecution", "ssm:SendCommand")
_BY_ROLE: Mapping[str, Needed] = {
    kinds.STATE_MACHINE: Needed("states:stateMachine", ("states:StartExecution",)),
    kinds.API_DESTINATION: Needed("events:api-destination", ("events:InvokeApiDestination",)),
    kinds.EVENT_BUS: Needed("events:event-bus", ("events:PutEvents",)),
    "aws:kinesis/stream:Stream": Needed("kinesis:stream", ("kinesis:PutRecord", "kinesis:PutRecords")),
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": Needed(
        "firehose:deliverystream", ("firehose:PutRecord", "firehose:PutRecordBatch")
    ),
    "aws:ecs/cluster:Cluster": Needed("ecs:cluster", ("ecs:RunTask",), elsewhere=True),
    "aws:batch/jobQueue:JobQueue": Needed("batch:job-queue", ("batch:SubmitJob",), elsewhere=True),
    "aws:codebuild/project:Project": Needed("codebuild:project", ("codebuild:StartBuild",)),
    "aws:codepipeline/pipeline:Pipeline": Needed("codepipeline:*", ("codepipeline:StartPipelineExecution",)),
    "aws:ssm/document:Document": Needed("ssm:document", _BY_DOCUMENT, elsewhere=True),
}
_WITHOUT_A_TYPE = (Needed("ssm:automation-definition", _BY_DOCUMENT, elsewhere=True),)


def _unpermitted_by_role(target: Resource, stack: Stack) -> str | None:
    """Why the role of a target does not let EventBridge in; None where it does, or where none is needed."""
    to = stack.target(target, "arn", *_BY_ROLE)
    on = to or target.text("arn") or ""
    needed = _BY_ROLE[to.type] if to is not None else _needed(str(on))
    if needed is None or (needed is _BY_ROLE[kinds.EVENT_BUS] and _needs_none(stack, target, on)):
        return None
    action = needed.actions[0]
    short = f"The target {target.name} does not reach {to.name if to is not None else on}"
    if not target.has("roleArn"):
        return (
            f"{short}: roleArn is absent, and EventBridge needs a role for it. "
            f"Set roleArn to a role that {EVENTS} may assume and that allows {action}."
        )
    role = stack.target(target, "roleArn", kinds.ROLE)
    if role is None or role.looked_up:
        return None
    if not _trusts(role, stack, target):
        return (
            f"{short}: the trust policy of its role {role.name} does not let {EVENTS} assume it for this rule. "
            f"Allow sts:AssumeRole to the Service {EVENTS} there."
        )
    if any_of(needed.actions, lambda one: _role_may(stack, role, one, None if needed.elsewhere else on)):
        return None
    return f"{short}: no policy of its role {role.name} allows {action} on it. Allow {action} there."


def _needed(arn: str) -> Needed | None:
    """What a role has to allow for a target of another stack; None where it takes no role, or nobody knows."""
    found = arns.parts(arn)
    if found is None:
        return None
    kind, _, name = found[4].replace(":", "/").partition("/")
    for needed in (*_BY_ROLE.values(), *_WITHOUT_A_TYPE):
        if wildcards.matches(needed.arns, f"{found[1]}:{kind}"):
            # Of a version or an alias of a state machine a policy may name either it or the state machine.
            return replace(needed, elsewhere=True) if found[1] == "states" and "/" in name else needed
    return None


def _needs_none(stack: Stack, target: Resource, bus: Resource | str) -> bool:
    """Whether a target is a bus beside the rule's own, which takes events without a role too."""
    if target.has("roleArn"):
        return False
    places = [
        (found[2], found[3])
        for arn in (_rule_arn(stack, target), bus if isinstance(bus, str) else admission.known_arn(bus))
        if (found := arns.parts(arn or ""))
    ]
    return len(places) < 2 or places[0] == places[1]


def _trusts(role: Resource, stack: Stack, target: Resource) -> bool:
    try:
        return admission.trusts(role, EVENTS, _rule_arn(stack, target))
    except Undecided:
        return True


def _role_may(stack: Stack, role: Resource, action: str, on: Resource | str | None) -> bool:
    """Whether a role may do this to that; to anything at all where that is None."""
    if on is not None:
        return role_permissions.may(stack, role, action, on)
    given = role_permissions.of(stack, role)
    if any_of(given.grants, lambda one: one.statement.allows and one.statement.covers(action)):
        return True
    return False if given.complete else values.undecided("a policy of the role is not ours to read")


def _role_lets(target: Resource, stack: Stack, to: Resource) -> bool:
    """Whether a role that the target has, though it needs none, may let it in all the same."""
    if not target.has("roleArn"):
        return False
    role = stack.target(target, "roleArn", kinds.ROLE)
    if role is None or role.looked_up:
        return True
    return _role_may(stack, role, role_permissions.SENDING[to.type], to)


_BY_POLICY: dict[str, Callable[[Resource, Stack, Resource], tuple[str | None, str]]] = {
    kinds.QUEUE: _kept_out_of_queue,
    kinds.TOPIC: _kept_out_of_topic,
    kinds.FUNCTION: _kept_out_of_function,
    kinds.FUNCTION_ALIAS: _kept_out_of_function,
}


def _rule(stack: Stack, target: Resource) -> Resource | None:
    """The rule of a target; None where it is not in this stack, or where two buses have one of this name."""
    try:
        return stack.target(target, "rule", kinds.EVENT_RULE)
    except Undecided:
        return None


def _rule_arn(stack: Stack, target: Resource) -> str | None:
    return admission.known_arn(_rule(stack, target))
