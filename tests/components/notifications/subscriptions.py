"""Types of resources, and a subscription for each protocol, for the tests of notifications."""

TOPIC, TOPIC_POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION, QUEUE, QUEUE_POLICY = (
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:sqs/queue:Queue",
    "aws:sqs/queuePolicy:QueuePolicy",
)
PERMISSION = "aws:lambda/permission:Permission"
TOPICS = ["failures", "remediation", "critical"]
ACCOUNT = "eu-west-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/sns-to-firehose"
ENDPOINTS = {
    "http": "http://example.com/hook",
    "https": "https://example.com/hook",
    "email": "team@example.com",
    "email-json": "robot@example.com",
    "sms": "+15551234567",
    "sqs": f"arn:aws:sqs:{ACCOUNT}:inbox",
    "lambda": f"arn:aws:lambda:{ACCOUNT}:function:pager",
    "application": f"arn:aws:sns:{ACCOUNT}:endpoint/GCM/app/5e3e9847",
    "firehose": f"arn:aws:firehose:{ACCOUNT}:deliverystream/archive",
}


def subscription(protocol, topic="failures", **more):
    role = {"subscription_role_arn": ROLE} if protocol == "firehose" else {}
    return {"topic": topic, "protocol": protocol, "endpoint": ENDPOINTS[protocol], **role, **more}
