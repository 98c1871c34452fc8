"""What the program asks for as a CloudFormation template, so that AWS's own schemas can be held against it.

A resource type or an input that has no counterpart here raises: what is left out, nobody checks.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.engine import plain
from local.recording import Recorded, Recording

Inputs = Mapping[str, Any]
Properties = dict[str, Any]
JSON_TEXTS = frozenset({
    "policy", "assumeRolePolicy", "redrivePolicy", "filterPolicy", "eventPattern",
})  # fmt: skip
"""Inputs that are JSON in a text, and objects in a template."""
_WITHOUT_COUNTERPART = frozenset({"aws:secretsmanager/secretVersion:SecretVersion"})
"""Values of secrets, which a template has as part of the secret."""


class NoCounterpart(Exception):
    """The converter does not know this type or input: teach it."""


def convert(recording: Recording) -> dict[str, Any]:
    """The template. Inputs that hold another resource's ARN hold it as text."""
    resources: dict[str, Any] = {}
    by_name: dict[tuple[str, str], Properties] = {}
    for resource in recording.custom():
        inputs = {key: plain(value) for key, value in resource.inputs.items() if value is not None}
        if resource.type in _WITHOUT_COUNTERPART:
            continue
        if resource.type in _PARTS:
            _PARTS[resource.type](resource, inputs, by_name)
            continue
        if resource.type not in _TYPES:
            raise NoCounterpart(f"{resource.type} has no counterpart in tests/validators/cloudformation.py")
        type_, names = _TYPES[resource.type]
        properties = _rename(resource, inputs, names)
        if type_ == "AWS::IAM::RolePolicy":
            properties.setdefault("PolicyName", resource.name)
        if "_hash" in properties:
            properties["KeySchema"] = _schema(properties.pop("_hash"), properties.pop("_range", None))
        by_name[resource.type, str(resource.outputs.get("name", resource.name))] = properties
        logical = "".join(part.title() for part in resource.name.replace("_", "-").split("-"))
        resources[f"{type_.split('::')[-1]}{logical}"] = {"Type": type_, "Properties": properties}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


Change = Callable[[Any], Properties]


def _rename(resource: Recorded, inputs: Inputs, names: Mapping[str, str | Change]) -> Properties:
    properties: Properties = {}
    for key, value in inputs.items():
        if key not in names:
            raise NoCounterpart(f"{resource.type} {key} has no counterpart in tests/validators/cloudformation.py")
        value = json.loads(value) if key in JSON_TEXTS and isinstance(value, str) else value
        name = names[key]
        if not isinstance(name, str):
            properties.update(name(value))
        elif name:
            properties[name] = value
    return properties


def _capitalise(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key[:1].upper() + key[1:]: _capitalise(inner) for key, inner in value.items() if inner is not None}
    return [_capitalise(inner) for inner in value] if isinstance(value, list) else value


def _under(name: str) -> Change:
    """The object under another name, its fields as CloudFormation writes them."""
    return lambda value: {name: _capitalise(value)}


def _tags(value: Mapping[str, str]) -> Properties:
    return {"Tags": [{"Key": key, "Value": text} for key, text in value.items()]}


def _listed(name: str) -> Change:
    return lambda value: {name: [value]}


def _attributes(value: Iterable[Mapping[str, str]]) -> Properties:
    definitions = [{"AttributeName": one["name"], "AttributeType": one["type"]} for one in value]
    return {"AttributeDefinitions": definitions}


def _key(kind: str) -> Change:
    """One half of a key, which `convert` puts together."""
    return lambda value: {f"_{kind}": value}


def _indexes(value: Iterable[Mapping[str, Any]]) -> Properties:
    indexes = [
        {
            "IndexName": one["name"],
            "KeySchema": _schema(one.get("hashKey"), one.get("rangeKey")),
            "Projection": {"ProjectionType": one["projectionType"]},
        }
        for one in value
    ]
    return {"GlobalSecondaryIndexes": indexes}


def _schema(hash_key: str | None, range_key: str | None) -> list[dict[str, str]]:
    kinds = (("HASH", hash_key), ("RANGE", range_key))
    return [{"AttributeName": key, "KeyType": kind} for kind, key in kinds if key]


def _dimensions(value: Mapping[str, str]) -> Properties:
    return {"Dimensions": [{"Name": name, "Value": text} for name, text in value.items()]}


def _add_target(resource: Recorded, inputs: Inputs, by_name: Mapping[tuple[str, str], Properties]) -> None:
    rule = by_name["aws:cloudwatch/eventRule:EventRule", inputs["rule"]]
    names = {"rule": "", "targetId": "Id", "arn": "Arn", "roleArn": "RoleArn", "input": "Input"}
    changes = {"deadLetterConfig": _under("DeadLetterConfig"), "retryPolicy": _under("RetryPolicy")}
    rule.setdefault("Targets", []).append(_rename(resource, inputs, {**names, **changes}))


def _add_recursion(resource: Recorded, inputs: Inputs, by_name: Mapping[tuple[str, str], Properties]) -> None:
    by_name["aws:lambda/function:Function", inputs["functionName"]]["RecursiveLoop"] = inputs["recursiveLoop"]


_PARTS: Mapping[str, Callable[[Recorded, Inputs, Mapping[tuple[str, str], Properties]], None]] = {
    "aws:cloudwatch/eventTarget:EventTarget": _add_target,
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": _add_recursion,
}
"""Resources of the provider that are properties of another one in a template."""

_TYPES: Mapping[str, tuple[str, Mapping[str, str | Change]]] = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": (
        "AWS::CloudWatch::CompositeAlarm",
        {
            "alarmName": "AlarmName",
            "alarmDescription": "AlarmDescription",
            "alarmRule": "AlarmRule",
            "alarmActions": "AlarmActions",
            "okActions": "OKActions",
            "actionsSuppressor": lambda value: {
                "ActionsSuppressor": value["alarm"],
                "ActionsSuppressorExtensionPeriod": value["extensionPeriod"],
                "ActionsSuppressorWaitPeriod": value["waitPeriod"],
            },
            "tags": _tags,
        },
    ),
    "aws:cloudwatch/dashboard:Dashboard": (
        "AWS::CloudWatch::Dashboard",
        {"dashboardName": "DashboardName", "dashboardBody": "DashboardBody"},
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        "AWS::Events::Rule",
        {
            "name": "Name",
            "description": "Description",
            "eventPattern": "EventPattern",
            "state": "State",
            "tags": _tags,
        },
    ),
    "aws:cloudwatch/logGroup:LogGroup": (
        "AWS::Logs::LogGroup",
        {"name": "LogGroupName", "namePrefix": "", "retentionInDays": "RetentionInDays", "tags": _tags},
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "AWS::CloudWatch::Alarm",
        {
            "name": "AlarmName",
            "alarmDescription": "AlarmDescription",
            "namespace": "Namespace",
            "metricName": "MetricName",
            "dimensions": _dimensions,
            "statistic": "Statistic",
            "comparisonOperator": "ComparisonOperator",
            "threshold": "Threshold",
            "period": "Period",
            "evaluationPeriods": "EvaluationPeriods",
            "treatMissingData": "TreatMissingData",
            "tags": _tags,
        },
    ),
    "aws:dynamodb/table:Table": (
        "AWS::DynamoDB::Table",
        {
            "name": "TableName",
            "attributes": _attributes,
            "hashKey": _key("hash"),
            "rangeKey": _key("range"),
            "billingMode": "BillingMode",
            "globalSecondaryIndexes": _indexes,
            "pointInTimeRecovery": lambda value: {
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": value["enabled"]}
            },
            "ttl": lambda value: {
                "TimeToLiveSpecification": {"AttributeName": value["attributeName"], "Enabled": value["enabled"]}
            },
            "deletionProtectionEnabled": "DeletionProtectionEnabled",
            "tags": _tags,
        },
    ),
    "aws:iam/role:Role": (
        "AWS::IAM::Role",
        {
            "name": "RoleName",
            "description": "Description",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
            "tags": _tags,
        },
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        "AWS::IAM::RolePolicy",
        {"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        "AWS::Lambda::EventSourceMapping",
        {
            "eventSourceArn": "EventSourceArn",
            "functionName": "FunctionName",
            "batchSize": "BatchSize",
            "functionResponseTypes": "FunctionResponseTypes",
            "scalingConfig": _under("ScalingConfig"),
            "tags": _tags,
        },
    ),
    "aws:lambda/function:Function": (
        "AWS::Lambda::Function",
        {
            "name": "FunctionName",
            "description": "Description",
            "code": lambda _: {"Code": {"S3Bucket": "code-of-the-program", "S3Key": "handlers.zip"}},
            "handler": "Handler",
            "runtime": "Runtime",
            "architectures": "Architectures",
            "role": "Role",
            "layers": "Layers",
            "timeout": "Timeout",
            "memorySize": "MemorySize",
            "reservedConcurrentExecutions": "ReservedConcurrentExecutions",
            "environment": lambda value: {"Environment": {"Variables": value["variables"]}},
            "loggingConfig": _under("LoggingConfig"),
            "tags": _tags,
        },
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "AWS::Lambda::EventInvokeConfig",
        {
            "functionName": lambda value: {"FunctionName": value, "Qualifier": "$LATEST"},
            "maximumRetryAttempts": "MaximumRetryAttempts",
            "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
            "destinationConfig": _under("DestinationConfig"),
        },
    ),
    "aws:lambda/permission:Permission": (
        "AWS::Lambda::Permission",
        {
            "action": "Action",
            "function": "FunctionName",
            "principal": "Principal",
            "sourceArn": "SourceArn",
            "sourceAccount": "SourceAccount",
            "qualifier": "",
            "statementId": "",
        },
    ),
    "aws:scheduler/schedule:Schedule": (
        "AWS::Scheduler::Schedule",
        {
            "name": "Name",
            "groupName": "GroupName",
            "description": "Description",
            "scheduleExpression": "ScheduleExpression",
            "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
            "flexibleTimeWindow": _under("FlexibleTimeWindow"),
            "state": "State",
            "target": _under("Target"),
        },
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": (
        "AWS::Scheduler::ScheduleGroup",
        {"name": "Name", "tags": _tags},
    ),
    "aws:secretsmanager/secret:Secret": (
        "AWS::SecretsManager::Secret",
        {"name": "Name", "description": "Description", "recoveryWindowInDays": "", "tags": _tags},
    ),
    "aws:secretsmanager/secretRotation:SecretRotation": (
        "AWS::SecretsManager::RotationSchedule",
        {
            "secretId": "SecretId",
            "rotationLambdaArn": "RotationLambdaARN",
            "rotateImmediately": "RotateImmediatelyOnUpdate",
            "rotationRules": _under("RotationRules"),
        },
    ),
    "aws:sfn/stateMachine:StateMachine": (
        "AWS::StepFunctions::StateMachine",
        {
            "name": "StateMachineName",
            "definition": "DefinitionString",
            "roleArn": "RoleArn",
            "type": "StateMachineType",
            "loggingConfiguration": lambda value: {
                "LoggingConfiguration": {
                    "Level": value["level"],
                    "IncludeExecutionData": value["includeExecutionData"],
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": value["logDestination"]}}],
                }
            },
            "tags": _tags,
        },
    ),
    "aws:sns/topic:Topic": (
        "AWS::SNS::Topic",
        {"name": "TopicName", "kmsMasterKeyId": "KmsMasterKeyId", "tags": _tags},
    ),
    "aws:sns/topicPolicy:TopicPolicy": (
        "AWS::SNS::TopicPolicy",
        {"arn": _listed("Topics"), "policy": "PolicyDocument"},
    ),
    "aws:sns/topicSubscription:TopicSubscription": (
        "AWS::SNS::Subscription",
        {
            "topic": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "rawMessageDelivery": "RawMessageDelivery",
            "filterPolicy": "FilterPolicy",
            "filterPolicyScope": "FilterPolicyScope",
            "redrivePolicy": "RedrivePolicy",
            "subscriptionRoleArn": "SubscriptionRoleArn",
        },
    ),
    "aws:sqs/queue:Queue": (
        "AWS::SQS::Queue",
        {
            "name": "QueueName",
            "messageRetentionSeconds": "MessageRetentionPeriod",
            "maxMessageSize": "MaximumMessageSize",
            "visibilityTimeoutSeconds": "VisibilityTimeout",
            "kmsMasterKeyId": "KmsMasterKeyId",
            "sqsManagedSseEnabled": "SqsManagedSseEnabled",
            "redrivePolicy": "RedrivePolicy",
            "tags": _tags,
        },
    ),
    "aws:sqs/queuePolicy:QueuePolicy": (
        "AWS::SQS::QueuePolicy",
        {"queueUrl": _listed("Queues"), "policy": "PolicyDocument"},
    ),
    "aws:ssm/parameter:Parameter": (
        "AWS::SSM::Parameter",
        {
            "name": "Name",
            "description": "Description",
            "type": "Type",
            "value": "Value",
            "tags": lambda value: {"Tags": value},
        },
    ),
}
"""A type of the provider -> the one in a template, and what each input is called there; empty for what it has not."""
