"""SNS and SQS."""

from collections.abc import Iterable

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs


def write_attribute(value: object) -> str:
    """Convert an attribute value to text, which SNS and SQS expect for all attributes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create_topic(aws: Aws, inputs: Inputs) -> CreatedResource:
    attributes = select_inputs(inputs, DisplayName="displayName", KmsMasterKeyId="kmsMasterKeyId")
    arn = aws.client("sns").create_topic(Name=inputs["name"], Attributes=attributes, Tags=build_tag_list(inputs))[
        "TopicArn"
    ]
    return CreatedResource(arn, {"arn": arn, "owner": aws.account_id})


def _delete_topic(aws: Aws, topic: CreatedResource) -> None:
    aws.client("sns").delete_topic(TopicArn=topic.id)


def _list_topics(aws: Aws) -> Iterable[str]:
    pages = aws.client("sns").get_paginator("list_topics").paginate()
    return (topic["TopicArn"] for page in pages for topic in page["Topics"])


def _create_topic_policy(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Store the policy, which MiniStack does not enforce."""
    arn, policy = inputs["arn"], inputs["policy"]
    aws.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return CreatedResource(arn, {"owner": aws.account_id})


def _create_subscription(aws: Aws, inputs: Inputs) -> CreatedResource:
    attributes = select_inputs(
        inputs,
        RawMessageDelivery="rawMessageDelivery",
        FilterPolicy="filterPolicy",
        FilterPolicyScope="filterPolicyScope",
        RedrivePolicy="redrivePolicy",
        SubscriptionRoleArn="subscriptionRoleArn",
    )
    arn = aws.client("sns").subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        Attributes={name: write_attribute(value) for name, value in attributes.items()},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    if not arn.startswith("arn:"):
        arn = _find_subscription(aws, inputs)
    return CreatedResource(arn, {"arn": arn, "ownerId": aws.account_id})


def _find_subscription(aws: Aws, inputs: Inputs) -> str:
    """Look up the ARN, which AWS returns and MiniStack replaces with `pending confirmation`."""
    pages = aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=inputs["topic"])
    return next(
        subscription["SubscriptionArn"]
        for page in pages
        for subscription in page["Subscriptions"]
        if (subscription["Protocol"], subscription["Endpoint"]) == (inputs["protocol"], inputs["endpoint"])
    )


def _delete_subscription(aws: Aws, subscription: CreatedResource) -> None:
    aws.client("sns").unsubscribe(SubscriptionArn=subscription.id)


def _list_subscriptions(aws: Aws) -> Iterable[str]:
    pages = aws.client("sns").get_paginator("list_subscriptions").paginate()
    return (subscription["SubscriptionArn"] for page in pages for subscription in page["Subscriptions"])


def build_queue_attributes(inputs: Inputs) -> dict[str, str]:
    """Return the queue's attributes under SQS's names."""
    attributes = select_inputs(
        inputs,
        MaximumMessageSize="maxMessageSize",
        MessageRetentionPeriod="messageRetentionSeconds",
        VisibilityTimeout="visibilityTimeoutSeconds",
        RedrivePolicy="redrivePolicy",
        KmsMasterKeyId="kmsMasterKeyId",
        SqsManagedSseEnabled="sqsManagedSseEnabled",
    )
    return {key: write_attribute(value) for key, value in attributes.items()}


def _create_queue(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["name"]
    url = aws.client("sqs").create_queue(
        QueueName=name, Attributes=build_queue_attributes(inputs), tags=inputs.get("tags") or {}
    )["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}"
    return CreatedResource(url, {"arn": arn, "url": url})


def _delete_queue(aws: Aws, queue: CreatedResource) -> None:
    aws.client("sqs").delete_queue(QueueUrl=queue.id)


def _list_queues(aws: Aws) -> Iterable[str]:
    # Without a page size SQS returns at most 1000 queues and no token
    # (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
    pages = aws.client("sqs").get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
    return (url for page in pages for url in page.get("QueueUrls", []))


def _create_queue_policy(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Store the policy, which MiniStack does not enforce."""
    url = inputs["queueUrl"]
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": inputs["policy"]})
    return CreatedResource(url, {})


ENTRIES = (
    Entry(
        "aws:sns/topic:Topic",
        supported_inputs("name", "displayName", "kmsMasterKeyId", "tags"),
        _create_topic,
        _delete_topic,
        name_input="name",
        list_names=_list_topics,
    ),
    Entry("aws:sns/topicPolicy:TopicPolicy", supported_inputs("arn", "policy"), _create_topic_policy),
    Entry(
        "aws:sns/topicSubscription:TopicSubscription",
        supported_inputs(
            "topic",
            "protocol",
            "endpoint",
            "rawMessageDelivery",
            "filterPolicy",
            "filterPolicyScope",
            "redrivePolicy",
            "subscriptionRoleArn",
        ),
        _create_subscription,
        _delete_subscription,
        list_names=_list_subscriptions,
    ),
    Entry(
        "aws:sqs/queue:Queue",
        supported_inputs(
            "name",
            "maxMessageSize",
            "messageRetentionSeconds",
            "visibilityTimeoutSeconds",
            "redrivePolicy",
            "kmsMasterKeyId",
            "sqsManagedSseEnabled",
            "tags",
        ),
        _create_queue,
        _delete_queue,
        name_input="name",
        list_names=_list_queues,
    ),
    Entry("aws:sqs/queuePolicy:QueuePolicy", supported_inputs("queueUrl", "policy"), _create_queue_policy),
)
