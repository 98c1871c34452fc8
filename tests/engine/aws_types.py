"""What the AWS provider's documentation says of each resource type, as far as this product uses it.

(https://www.pulumi.com/registry/packages/aws/api-docs/; "Forces new resource" and the lengths of generated names in
https://github.com/pulumi/pulumi-aws, provider/resources.go)
"""

from collections.abc import Mapping

from local.deploy.resources import TABLE

MAXIMUM_NAME: Mapping[str, int] = {
    "aws:cloudtrail/trail:Trail": 128,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": 255,
    "aws:cloudwatch/dashboard:Dashboard": 255,
    "aws:cloudwatch/eventApiDestination:EventApiDestination": 64,
    "aws:cloudwatch/eventBus:EventBus": 256,
    "aws:cloudwatch/eventConnection:EventConnection": 64,
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:cloudwatch/eventTarget:EventTarget": 64,
    "aws:cloudwatch/logGroup:LogGroup": 512,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:dynamodb/table:Table": 255,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lambda/function:Function": 64,
    "aws:lambda/permission:Permission": 100,
    "aws:s3/bucket:Bucket": 63,
    "aws:scheduler/schedule:Schedule": 64,
    "aws:scheduler/scheduleGroup:ScheduleGroup": 64,
    "aws:secretsmanager/secret:Secret": 512,
    "aws:sfn/stateMachine:StateMachine": 80,
    "aws:sns/topic:Topic": 256,
    "aws:sqs/queue:Queue": 80,
    "aws:ssm/parameter:Parameter": 2048,
}
"""The longest name that is generated, with a hyphen and seven digits at its end."""

BUCKET_PARTS = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
)
"""Configurations of a bucket, which are resources of their own for the provider."""

_REPLACING: Mapping[str, frozenset[str]] = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": frozenset({"alarmName"}),
    "aws:cloudwatch/dashboard:Dashboard": frozenset({"dashboardName"}),
    "aws:cloudwatch/eventBus:EventBus": frozenset({"eventSourceName"}),
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": frozenset({"eventBusName"}),
    "aws:cloudwatch/eventRule:EventRule": frozenset({"eventBusName", "namePrefix"}),
    "aws:cloudwatch/eventTarget:EventTarget": frozenset({"rule", "eventBusName"}),
    "aws:cloudwatch/logGroup:LogGroup": frozenset({"namePrefix", "logGroupClass"}),
    "aws:dynamodb/table:Table": frozenset({"hashKey", "rangeKey", "localSecondaryIndexes"}),
    "aws:iam/role:Role": frozenset({"path", "namePrefix"}),
    "aws:iam/rolePolicy:RolePolicy": frozenset({"role", "namePrefix"}),
    "aws:lambda/eventSourceMapping:EventSourceMapping": frozenset({"eventSourceArn", "startingPosition"}),
    "aws:lambda/function:Function": frozenset({"packageType"}),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": frozenset({"functionName", "qualifier"}),
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": frozenset({"functionName"}),
    "aws:lambda/permission:Permission": frozenset(
        {"action", "function", "principal", "sourceArn", "sourceAccount", "qualifier", "eventSourceToken"}
    ),
    "aws:s3/bucket:Bucket": frozenset({"bucketPrefix"}),
    **dict.fromkeys(BUCKET_PARTS, frozenset({"bucket"})),
    "aws:scheduler/schedule:Schedule": frozenset({"groupName", "namePrefix"}),
    "aws:secretsmanager/secretRotation:SecretRotation": frozenset({"secretId"}),
    "aws:secretsmanager/secretVersion:SecretVersion": frozenset({"secretId", "secretString", "secretBinary"}),
    "aws:sfn/stateMachine:StateMachine": frozenset({"type", "namePrefix"}),
    "aws:sns/topic:Topic": frozenset({"fifoTopic", "namePrefix"}),
    "aws:sns/topicPolicy:TopicPolicy": frozenset({"arn"}),
    "aws:sns/topicSubscription:TopicSubscription": frozenset({"topic", "protocol", "endpoint"}),
    "aws:sqs/queue:Queue": frozenset({"fifoQueue", "namePrefix"}),
    "aws:sqs/queuePolicy:QueuePolicy": frozenset({"queueUrl"}),
}

COMPUTED: Mapping[str, tuple[str, ...]] = {
    "aws:cloudtrail/trail:Trail": ("arn", "homeRegion"),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": ("arn",),
    "aws:cloudwatch/dashboard:Dashboard": ("dashboardArn",),
    "aws:cloudwatch/eventApiDestination:EventApiDestination": ("arn",),
    "aws:cloudwatch/eventBus:EventBus": ("arn",),
    "aws:cloudwatch/eventConnection:EventConnection": ("arn", "secretArn"),
    "aws:cloudwatch/eventRule:EventRule": ("arn",),
    "aws:cloudwatch/logGroup:LogGroup": ("arn",),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("arn",),
    "aws:dynamodb/table:Table": ("arn", "streamArn"),
    "aws:iam/role:Role": ("arn", "uniqueId"),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ("arn", "uuid", "functionArn", "state"),
    "aws:lambda/function:Function": ("arn", "invokeArn", "qualifiedArn", "version", "lastModified"),
    "aws:s3/bucket:Bucket": ("arn",),
    "aws:scheduler/schedule:Schedule": ("arn",),
    "aws:scheduler/scheduleGroup:ScheduleGroup": ("arn", "state"),
    "aws:secretsmanager/secret:Secret": ("arn",),
    "aws:secretsmanager/secretVersion:SecretVersion": ("arn", "versionId"),
    "aws:secretsmanager/secretRotation:SecretRotation": ("rotationEnabled",),
    "aws:sfn/stateMachine:StateMachine": ("arn", "status", "creationDate"),
    "aws:sns/topic:Topic": ("arn", "owner"),
    "aws:sns/topicPolicy:TopicPolicy": ("owner",),
    "aws:sns/topicSubscription:TopicSubscription": ("arn", "ownerId"),
    "aws:sqs/queue:Queue": ("arn", "url"),
    "aws:ssm/parameter:Parameter": ("arn", "version"),
}
"""Outputs that are not known before the resource is there."""

JSON_INPUTS: Mapping[str, tuple[str, ...]] = {
    "aws:cloudwatch/dashboard:Dashboard": ("dashboardBody",),
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": ("policy",),
    "aws:cloudwatch/eventRule:EventRule": ("eventPattern",),
    "aws:iam/role:Role": ("assumeRolePolicy",),
    "aws:iam/rolePolicy:RolePolicy": ("policy",),
    "aws:s3/bucketPolicy:BucketPolicy": ("policy",),
    "aws:sfn/stateMachine:StateMachine": ("definition",),
    "aws:sns/topicPolicy:TopicPolicy": ("policy",),
    "aws:sns/topicSubscription:TopicSubscription": ("filterPolicy", "redrivePolicy"),
    "aws:sqs/queue:Queue": ("redrivePolicy",),
    "aws:sqs/queuePolicy:QueuePolicy": ("policy",),
}
"""Inputs that the provider compares as JSON."""


def replacing_inputs(token: str) -> frozenset[str]:
    """The inputs whose change makes a new resource of this type; the physical name is always one of them."""
    entry = TABLE.get(token)
    return _REPLACING.get(token, frozenset()) | ({entry.name_input} if entry and entry.name_input else set())
