"""Updates resources of each type in place, as the AWS provider does.

A type without an entry cannot be updated: a change of any input replaces the resource.
"""

from collections.abc import Callable, Mapping

from ...aws import Aws
from . import TABLE, api_destinations, events, messaging, trails
from .archive import build_zip
from .entry import CreatedResource, Inputs, build_tag_list, select_inputs, to_api_case

Update = Callable[[Aws, CreatedResource, Inputs, Inputs], None]
"""Updates a resource from its former inputs (the third argument) to the new ones."""


def _put_again(token: str) -> Update:
    """Return an update by the call that also creates the resource. That call ignores tags of an existing resource."""

    def update(aws: Aws, resource: CreatedResource, before: Inputs, inputs: Inputs) -> None:
        TABLE[token].create(aws, inputs)
        if "tags" in TABLE[token].supported_inputs:
            _tag(aws, resource.outputs["arn"], before, inputs)

    return update


def _tag(aws: Aws, arn: str, before: Inputs, inputs: Inputs) -> None:
    """Update the tags of a resource of any service."""
    old, new = before.get("tags") or {}, inputs.get("tags") or {}
    client = aws.client("resourcegroupstaggingapi")
    if removed := [key for key in old if key not in new]:
        client.untag_resources(ResourceARNList=[arn], TagKeys=removed)
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        client.tag_resources(ResourceARNList=[arn], Tags=changed)


def _update_topic(aws: Aws, topic: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    for name, key in (("DisplayName", "displayName"), ("KmsMasterKeyId", "kmsMasterKeyId")):
        if before.get(key) != inputs.get(key):
            aws.client("sns").set_topic_attributes(
                TopicArn=topic.id, AttributeName=name, AttributeValue=inputs.get(key) or ""
            )
    _tag(aws, topic.id, before, inputs)


def _update_subscription(aws: Aws, subscription: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    for name, key in (
        ("RawMessageDelivery", "rawMessageDelivery"),
        ("FilterPolicyScope", "filterPolicyScope"),
        ("FilterPolicy", "filterPolicy"),
        ("RedrivePolicy", "redrivePolicy"),
    ):
        if before.get(key) != inputs.get(key):
            value = inputs.get(key)
            aws.client("sns").set_subscription_attributes(
                SubscriptionArn=subscription.id,
                AttributeName=name,
                AttributeValue=messaging.write_attribute("" if value is None else value),
            )


def _update_queue(aws: Aws, queue: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    attributes = messaging.build_queue_attributes(inputs)
    for key in messaging.build_queue_attributes(before).keys() - attributes.keys():
        attributes[key] = ""  # An empty value resets an attribute.
    aws.client("sqs").set_queue_attributes(QueueUrl=queue.id, Attributes=attributes)
    _tag(aws, queue.outputs["arn"], before, inputs)


def _update_log_group(aws: Aws, group: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    logs = aws.client("logs")
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=group.id, retentionInDays=inputs["retentionInDays"])
    elif before.get("retentionInDays"):
        logs.delete_retention_policy(logGroupName=group.id)
    _tag(aws, group.outputs["arn"], before, inputs)


def _update_function(aws: Aws, function: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    client, name = aws.client("lambda"), function.id
    if before.get("code") != inputs.get("code"):
        client.update_function_code(FunctionName=name, ZipFile=build_zip(inputs["code"]))
    client.update_function_configuration(
        FunctionName=name,
        Role=inputs["role"],
        Layers=inputs.get("layers") or [],
        Environment={"Variables": (inputs.get("environment") or {}).get("variables") or {}},
        **select_inputs(
            inputs,
            Handler="handler",
            Runtime="runtime",
            Description="description",
            Timeout="timeout",
            MemorySize="memorySize",
        ),
        **({"LoggingConfig": to_api_case(inputs["loggingConfig"])} if inputs.get("loggingConfig") else {}),
    )
    reserved = inputs.get("reservedConcurrentExecutions", -1)
    if reserved >= 0:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    elif before.get("reservedConcurrentExecutions", -1) >= 0:
        client.delete_function_concurrency(FunctionName=name)
    _tag(aws, function.outputs["arn"], before, inputs)


def _update_mapping(aws: Aws, mapping: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    aws.client("lambda").update_event_source_mapping(
        UUID=mapping.id,
        **select_inputs(
            inputs,
            FunctionName="functionName",
            BatchSize="batchSize",
            MaximumBatchingWindowInSeconds="maximumBatchingWindowInSeconds",
            FunctionResponseTypes="functionResponseTypes",
            Enabled="enabled",
        ),
        ScalingConfig=to_api_case(inputs.get("scalingConfig") or {}),
    )
    _tag(aws, mapping.outputs["arn"], before, inputs)


def _update_schedule_group(aws: Aws, group: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    _tag(aws, group.outputs["arn"], before, inputs)


def _update_schedule(aws: Aws, _: CreatedResource, __: Inputs, inputs: Inputs) -> None:
    aws.client("scheduler").update_schedule(**events.build_schedule_request(inputs))


def _update_role(aws: Aws, role: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    iam = aws.client("iam")
    iam.update_assume_role_policy(RoleName=role.id, PolicyDocument=inputs["assumeRolePolicy"])
    iam.update_role(RoleName=role.id, **select_inputs(inputs, Description="description"))
    old, new = before.get("tags") or {}, inputs.get("tags") or {}
    if removed := [key for key in old if key not in new]:
        iam.untag_role(RoleName=role.id, TagKeys=removed)
    if new:
        iam.tag_role(RoleName=role.id, Tags=build_tag_list(inputs))


def _update_table(aws: Aws, table: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    client, key = aws.client("dynamodb"), "deletionProtectionEnabled"
    if bool(before.get(key)) != bool(inputs.get(key)):
        client.update_table(TableName=table.id, DeletionProtectionEnabled=bool(inputs.get(key)))
    _tag(aws, table.outputs["arn"], before, inputs)


def _update_secret(aws: Aws, secret: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    client = aws.client("secretsmanager")
    client.update_secret(SecretId=secret.id, Description=inputs.get("description") or "")
    old, new = before.get("tags") or {}, inputs.get("tags") or {}
    if removed := [key for key in old if key not in new]:
        client.untag_resource(SecretId=secret.id, TagKeys=removed)
    if new:
        client.tag_resource(SecretId=secret.id, Tags=build_tag_list(inputs))


def _update_parameter(aws: Aws, parameter: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    """Update a parameter. Like the provider, send the value with a change of any field but the tags."""
    if any(before.get(key) != inputs.get(key) for key in ("value", "description", "type")):
        aws.client("ssm").put_parameter(
            Name=parameter.id,
            Type=inputs["type"],
            Value=inputs["value"],
            Overwrite=True,
            **select_inputs(inputs, Description="description"),
        )
    _tag(aws, parameter.outputs["arn"], before, inputs)


def _update_state_machine(aws: Aws, machine: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    aws.client("stepfunctions").update_state_machine(
        stateMachineArn=machine.id, definition=inputs["definition"], roleArn=inputs["roleArn"]
    )
    _tag(aws, machine.id, before, inputs)


def _update_bucket(aws: Aws, bucket: CreatedResource, _: Inputs, inputs: Inputs) -> None:
    trails.tag_bucket(aws, bucket.id, inputs)


def _update_trail(aws: Aws, trail: CreatedResource, before: Inputs, inputs: Inputs) -> None:
    trails.update_trail(aws, inputs)
    old, new, arn = before.get("tags") or {}, inputs.get("tags") or {}, trail.outputs["arn"]
    client = aws.client("cloudtrail")
    if removed := [{"Key": key} for key in old if key not in new]:
        client.remove_tags(ResourceId=arn, TagsList=removed)
    if new:
        client.add_tags(ResourceId=arn, TagsList=build_tag_list(inputs))


_PUT_AGAIN = (
    "aws:cloudwatch/compositeAlarm:CompositeAlarm",
    "aws:cloudwatch/dashboard:Dashboard",
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:secretsmanager/secretRotation:SecretRotation",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sqs/queuePolicy:QueuePolicy",
)
UPDATES: Mapping[str, Update] = {
    **{token: _put_again(token) for token in _PUT_AGAIN},
    "aws:cloudwatch/eventApiDestination:EventApiDestination": api_destinations.update_destination,
    "aws:cloudwatch/eventConnection:EventConnection": api_destinations.update_connection,
    "aws:cloudwatch/logGroup:LogGroup": _update_log_group,
    "aws:cloudtrail/trail:Trail": _update_trail,
    "aws:dynamodb/table:Table": _update_table,
    "aws:iam/role:Role": _update_role,
    "aws:lambda/eventSourceMapping:EventSourceMapping": _update_mapping,
    "aws:lambda/function:Function": _update_function,
    "aws:s3/bucket:Bucket": _update_bucket,
    "aws:scheduler/schedule:Schedule": _update_schedule,
    "aws:scheduler/scheduleGroup:ScheduleGroup": _update_schedule_group,
    "aws:secretsmanager/secret:Secret": _update_secret,
    "aws:sfn/stateMachine:StateMachine": _update_state_machine,
    "aws:sns/topic:Topic": _update_topic,
    "aws:sns/topicSubscription:TopicSubscription": _update_subscription,
    "aws:sqs/queue:Queue": _update_queue,
    "aws:ssm/parameter:Parameter": _update_parameter,
}
