"""What the account has beside the stack: a trail, and a queue that is subscribed to each topic.

Everything is created through the resource table, and so deleted with the stack.
"""

import json
from typing import TYPE_CHECKING, Any

from ..aws import Aws
from .resources import TABLE, Resource

if TYPE_CHECKING:
    from .program import DeploymentResult

TOPICS = ("failures", "remediation", "critical", "reports")
_TRAIL = "account-trail"


def create_surroundings(aws: Aws, deployed: "DeploymentResult") -> dict[str, str]:
    """Create what the account has; return the URL of the inbox of each topic."""
    if not deployed.outputs.get("trail_arn"):
        _create_trail(aws, deployed)
    return {
        topic: _subscribe_inbox(aws, deployed, topic, topic_arn)
        for topic in TOPICS
        if (topic_arn := deployed.outputs.get(f"{topic}_topic_arn"))
    }


def _create_trail(aws: Aws, deployed: "DeploymentResult") -> None:
    """Create the trail to which the embedded AWS owes its events through CloudTrail, as most accounts have one."""
    bucket = _create(aws, deployed, "aws:s3/bucket:Bucket", _TRAIL, bucket=f"{_TRAIL}-{aws.region}")
    _create(
        aws,
        deployed,
        "aws:cloudtrail/trail:Trail",
        _TRAIL,
        name=_TRAIL,
        s3BucketName=bucket["bucket"],
        isMultiRegionTrail=True,
    )


def _subscribe_inbox(aws: Aws, deployed: "DeploymentResult", topic: str, topic_arn: str) -> str:
    """Subscribe a queue to a topic; return its URL."""
    queue = _create(aws, deployed, "aws:sqs/queue:Queue", f"inbox-{topic}")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue["arn"],
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        },
    }
    _create(aws, deployed, "aws:sqs/queuePolicy:QueuePolicy", topic, queueUrl=queue["url"], policy=json.dumps(policy))
    subscription = {"topic": topic_arn, "protocol": "sqs", "endpoint": queue["arn"]}
    _create(aws, deployed, "aws:sns/topicSubscription:TopicSubscription", topic, **subscription)
    return queue["url"]


def _create(aws: Aws, deployed: "DeploymentResult", token: str, name: str, /, **inputs: Any) -> dict[str, Any]:
    """Create a resource as if the program had asked for it; return its inputs and outputs."""
    entry = TABLE[token]
    inputs = entry.with_name(name, inputs)
    created = entry.create(aws, inputs)
    deployed.resources.append(Resource(token, name, created.id, created.outputs))
    return {**inputs, **created.outputs}
