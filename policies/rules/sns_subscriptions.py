"""SNS subscriptions: messages are delivered, and kept in a dead-letter queue if they cannot be."""

from ..aws import delivery
from ..aws.function_permissions import Caller
from ..aws.iam import resource_access, role_permissions
from ..model import resource_types
from ..model.finding import Complaints, Finding
from ..model.rule import rule, stack_rule
from ..model.stack import Resource, Stack
from ..model.values import Undecided

SNS = "sns.amazonaws.com"
_PROTOCOLS_FOR_PEOPLE = ("email", "email-json", "sms")
"""Protocols without redelivery, for which a dead-letter queue is of no use."""
_PROTOCOLS_WITH_POLICY = {
    "sqs": (resource_types.QUEUE,),
    "lambda": (resource_types.FUNCTION, resource_types.FUNCTION_ALIAS),
}
"""Protocols whose endpoint has a resource policy, and the types of the endpoint."""

_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg"


@stack_rule(
    resource_types.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/subscribe-sqs-queue-to-sns-topic.html",
)
def subscription_reaches_its_endpoint(subscription: Resource, stack: Stack) -> Complaints:
    """SNS may deliver to a subscription: by the policy of a queue or function, or by a role for Firehose.

    Allow sns.amazonaws.com in the endpoint's policy, with a condition on the topic's ARN, or set subscriptionRoleArn.
    """
    protocol = (subscription.text("protocol") or "").lower()
    topic, arn = _topic(stack, subscription)
    obstacle = _check_types(stack, subscription, protocol, topic, arn)
    if obstacle is None and protocol in _PROTOCOLS_WITH_POLICY:
        to = stack.target(subscription, "endpoint", *_PROTOCOLS_WITH_POLICY[protocol])
        caller = Caller(SNS, "sns", "topic", topic, arn)
        obstacle = delivery.find_obstacle(stack, subscription.value("endpoint"), to, caller) if to else None
    elif obstacle is None and protocol == "firehose":
        obstacle = _check_role(stack, subscription, arn)
    return obstacle and obstacle.prefix(f"The subscription {subscription.name} receives no messages: ")


@rule(
    resource_types.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-dead-letter-queues.html",
)
def topic_subscription_has_dead_letters(subscription: Resource) -> Complaints:
    """A subscription has a dead-letter queue, unless it is for e-mail or SMS: SNS drops what it cannot deliver.

    Set redrivePolicy.deadLetterTargetArn to a queue whose policy allows sns.amazonaws.com to send.
    """
    protocol = subscription.text("protocol")
    if (
        protocol is None
        or protocol.lower() in _PROTOCOLS_FOR_PEOPLE
        or subscription.has("redrivePolicy.deadLetterTargetArn")
    ):
        return None
    return Finding(
        f"The subscription {subscription.name} loses messages that cannot be delivered by {protocol}: "
        "redrivePolicy.deadLetterTargetArn is absent.",
        f"Set redrivePolicy.deadLetterTargetArn to the ARN of a queue whose policy allows {SNS} to send.",
    )


@stack_rule(
    resource_types.TOPIC_SUBSCRIPTION,
    severity="high",
    enforcement="mandatory",
    link=f"{_GUIDE}/sns-configure-dead-letter-queue.html",
)
def topic_dead_letters_are_reachable(subscription: Resource, stack: Stack) -> Complaints:
    """A subscription's dead-letter queue is of the topic's kind, and its policy allows SNS to send for the topic.

    Allow sqs:SendMessage to sns.amazonaws.com in the queue's policy, with a condition on the topic's ARN.
    """
    topic, arn = _topic(stack, subscription)
    obstacle = resource_access.find_delivery_obstacle(
        stack, subscription, "redrivePolicy.deadLetterTargetArn", SNS, arn, standard=_is_standard(topic, arn)
    )
    return obstacle and obstacle.prefix(f"Failed messages of the subscription {subscription.name} are lost: ")


def _check_types(
    stack: Stack, subscription: Resource, protocol: str, topic: Resource | None, arn: str | None
) -> Finding | None:
    """Check that a topic supports the type of endpoint.

    FIFO topics deliver to queues only (https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html), and
    standard topics to standard queues (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).
    """
    if protocol != "sqs":
        if topic is None or not delivery.is_fifo(topic):
            return None
        return Finding(f"{topic.name} is a FIFO topic, which delivers to queues only.", "Subscribe a queue.")
    endpoint = subscription.value("endpoint")
    if isinstance(endpoint, str) and endpoint.startswith("http"):
        return Finding("endpoint is the URL of a queue.", "Set endpoint to the queue's ARN.")
    queue = stack.target(subscription, "endpoint", resource_types.QUEUE)
    fifo = delivery.is_fifo(queue) if queue is not None else isinstance(endpoint, str) and endpoint.endswith(".fifo")
    if fifo and _is_standard(topic, arn):
        return Finding(
            f"{queue.name if queue else endpoint} is FIFO, and the topic is standard.", "Make both FIFO or neither."
        )
    return None


def _check_role(stack: Stack, subscription: Resource, topic_arn: str | None) -> Finding | None:
    """Check that SNS may write to a delivery stream
    (https://docs.aws.amazon.com/sns/latest/dg/prereqs-kinesis-data-firehose.html)."""
    if not subscription.has("subscriptionRoleArn"):
        return Finding(
            "subscriptionRoleArn is absent.",
            "Set subscriptionRoleArn to a role that SNS may assume and that allows firehose:PutRecord.",
        )
    role = stack.target(subscription, "subscriptionRoleArn", resource_types.ROLE)
    if role is None or role.external:
        return None
    if role.has("assumeRolePolicy") and not resource_access.trusts(role, SNS, topic_arn):
        return Finding(
            f"the trust policy of its role {role.name} does not allow {SNS} to assume it.",
            f"Allow sts:AssumeRole to the Service {SNS} in the trust policy.",
        )
    stream = stack.target(subscription, "endpoint", resource_types.DELIVERY_STREAM) or subscription.text("endpoint")
    if stream is None or role_permissions.allows(stack, role, "firehose:PutRecord", stream):
        return None
    return Finding(
        f"its role {role.name} lacks firehose:PutRecord on the stream.",
        "Add the missing permissions to a policy of the role.",
    )


def _topic(stack: Stack, subscription: Resource) -> tuple[Resource | None, str | None]:
    """The known topic and ARN of a subscription."""
    try:
        topic = stack.target(subscription, "topic", resource_types.TOPIC)
    except Undecided:
        topic = None
    topic_arn = subscription.value("topic")
    return topic, topic_arn if isinstance(topic_arn, str) else resource_access.known_arn(topic)


def _is_standard(topic: Resource | None, arn: str | None) -> bool:
    """Whether a topic is certainly standard."""
    if topic is not None:
        return not topic.flag("fifoTopic", absent=False)
    return arn is not None and not arn.endswith(".fifo")
