"""Subscriptions: what a topic sends arrives, and what does not arrive is not lost."""

from .. import admission, delivery, kinds, role_permissions
from ..function_permissions import Caller
from ..rule import Complaints, rule, stack_rule
from ..stack import Resource, Stack
from ..values import Undecided

SNS = "sns.amazonaws.com"
TO_PEOPLE = ("email", "email-json", "sms")
"""Protocols for which dead letters serve nobody: there is nothing to deliver again."""
_BY_POLICY = {"sqs": (kinds.QUEUE,), "lambda": (kinds.FUNCTION, kinds.FUNCTION_ALIAS)}
"""Protocols whose endpoint lets SNS in by a policy of its own, and the types of the endpoint."""

_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg"


@stack_rule(
    kinds.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/subscribe-sqs-queue-to-sns-topic.html",
)
def subscription_reaches_its_endpoint(subscription: Resource, stack: Stack) -> Complaints:
    """A topic may deliver to its subscription: the queue or function lets SNS in, or the role may write to Firehose."""
    protocol = (subscription.text("protocol") or "").lower()
    topic, arn = _topic(stack, subscription)
    obstacle = _mismatch(stack, subscription, protocol, topic, arn)
    if obstacle is None and protocol in _BY_POLICY:
        to = stack.target(subscription, "endpoint", *_BY_POLICY[protocol])
        caller = Caller(SNS, "sns", "topic", topic, arn)
        obstacle = delivery.find_obstacle(stack, subscription.value("endpoint"), to, caller) if to else None
    elif obstacle is None and protocol == "firehose":
        obstacle = _role_obstacle(stack, subscription, arn)
    return obstacle and f"Nothing that the topic sends arrives by the subscription {subscription.name}: {obstacle}"


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


def _mismatch(
    stack: Stack, subscription: Resource, protocol: str, topic: Resource | None, arn: str | None
) -> str | None:
    """Why a topic of this kind cannot deliver to an endpoint of that one; None where it can.

    FIFO topics deliver to queues alone (https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html), and
    standard topics to standard queues (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).
    """
    if protocol != "sqs":
        if topic is None or not delivery.is_fifo(topic):
            return None
        return f"{topic.name} is a FIFO topic, which delivers to queues alone. Subscribe a queue."
    endpoint = subscription.value("endpoint")
    if isinstance(endpoint, str) and endpoint.startswith("http"):
        return "endpoint is the URL of a queue. Set it to the queue's ARN."
    queue = stack.target(subscription, "endpoint", kinds.QUEUE)
    fifo = delivery.is_fifo(queue) if queue is not None else isinstance(endpoint, str) and endpoint.endswith(".fifo")
    if fifo and _is_standard(topic, arn):
        return f"{queue.name if queue else endpoint} is FIFO, and the topic is standard. Make both FIFO or neither."
    return None


def _role_obstacle(stack: Stack, subscription: Resource, topic_arn: str | None) -> str | None:
    """Why SNS may not write to a delivery stream; None where it may
    (https://docs.aws.amazon.com/sns/latest/dg/prereqs-kinesis-data-firehose.html)."""
    if not subscription.has("subscriptionRoleArn"):
        return "subscriptionRoleArn is absent. Set it to a role that SNS may assume and that allows firehose:PutRecord."
    role = stack.target(subscription, "subscriptionRoleArn", kinds.ROLE)
    if role is None or role.looked_up:
        return None
    if role.has("assumeRolePolicy") and not admission.trusts(role, SNS, topic_arn):
        return f"the trust policy of its role {role.name} does not let {SNS} assume it. Allow sts:AssumeRole there."
    stream = stack.target(subscription, "endpoint", kinds.DELIVERY_STREAM) or subscription.text("endpoint")
    if stream is None or role_permissions.may(stack, role, "firehose:PutRecord", stream):
        return None
    return f"its role {role.name} lacks firehose:PutRecord on the stream. Allow it in a policy of the role."


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
