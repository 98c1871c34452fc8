"""Which resource type of CloudFormation each one of the provider is, and which property each input."""

from collections.abc import Mapping

from tests.validators.property_changes import (
    Names,
    append_suffix,
    flatten,
    leave_out,
    list_pairs,
    locate_code,
    mark_key,
    read_json,
    rename_each,
    rename_fields,
    wrap_in_list,
)

_TAGS = {"tags": list_pairs("Tags", "Key", "Value")}
_RETRY_POLICY: Names = {
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
}
_LIFECYCLE_RULE: Names = {
    "id": "Id",
    "status": "Status",
    "filter": flatten({}),
    "expiration": flatten({"days": "ExpirationInDays"}),
    "noncurrentVersionExpiration": rename_fields("NoncurrentVersionExpiration", {"noncurrentDays": "NoncurrentDays"}),
    "abortIncompleteMultipartUpload": rename_fields(
        "AbortIncompleteMultipartUpload", {"daysAfterInitiation": "DaysAfterInitiation"}
    ),
}
_ENCRYPTION_RULE: Names = {
    "applyServerSideEncryptionByDefault": rename_fields(
        "ServerSideEncryptionByDefault", {"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}
    ),
    "bucketKeyEnabled": "BucketKeyEnabled",
}
_LOCK_RULE = rename_fields(
    "Rule", {"defaultRetention": rename_fields("DefaultRetention", {"mode": "Mode", "days": "Days"})}
)
_HTTP_PARAMETER: Names = {"key": "Key", "value": "Value", "isValueSecret": "IsValueSecret"}
_DEAD_LETTERS: Names = {"deadLetterConfig": rename_fields("DeadLetterConfig", {"arn": "Arn"})}

TYPES: Mapping[str, tuple[str, Names]] = {
    "aws:cloudtrail/trail:Trail": (
        "AWS::CloudTrail::Trail",
        {
            "name": "TrailName",
            "s3BucketName": "S3BucketName",
            "kmsKeyId": "KMSKeyId",
            "enableLogging": "IsLogging",
            "enableLogFileValidation": "EnableLogFileValidation",
            "isMultiRegionTrail": "IsMultiRegionTrail",
            "includeGlobalServiceEvents": "IncludeGlobalServiceEvents",
            "eventSelectors": rename_each(
                "EventSelectors",
                {"readWriteType": "ReadWriteType", "includeManagementEvents": "IncludeManagementEvents"},
            ),
            **_TAGS,
        },
    ),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": (
        "AWS::CloudWatch::CompositeAlarm",
        {
            "alarmName": "AlarmName",
            "alarmDescription": "AlarmDescription",
            "alarmRule": "AlarmRule",
            "alarmActions": "AlarmActions",
            "okActions": "OKActions",
            "actionsSuppressor": flatten(
                {
                    "alarm": "ActionsSuppressor",
                    "extensionPeriod": "ActionsSuppressorExtensionPeriod",
                    "waitPeriod": "ActionsSuppressorWaitPeriod",
                }
            ),
            **_TAGS,
        },
    ),
    "aws:cloudwatch/dashboard:Dashboard": (
        "AWS::CloudWatch::Dashboard",
        {"dashboardName": "DashboardName", "dashboardBody": "DashboardBody"},
    ),
    "aws:cloudwatch/eventApiDestination:EventApiDestination": (
        "AWS::Events::ApiDestination",
        {
            "description": "Description",
            "connectionArn": "ConnectionArn",
            "invocationEndpoint": "InvocationEndpoint",
            "httpMethod": "HttpMethod",
            "invocationRateLimitPerSecond": "InvocationRateLimitPerSecond",
        },
    ),
    "aws:cloudwatch/eventConnection:EventConnection": (
        "AWS::Events::Connection",
        {
            "description": "Description",
            "authorizationType": "AuthorizationType",
            "kmsKeyIdentifier": "KmsKeyIdentifier",
            "authParameters": rename_fields(
                "AuthParameters",
                {
                    "apiKey": rename_fields("ApiKeyAuthParameters", {"key": "ApiKeyName", "value": "ApiKeyValue"}),
                    "invocationHttpParameters": rename_fields(
                        "InvocationHttpParameters",
                        {
                            "headers": rename_each("HeaderParameters", _HTTP_PARAMETER),
                            "queryStrings": rename_each("QueryStringParameters", _HTTP_PARAMETER),
                            "bodies": rename_each("BodyParameters", _HTTP_PARAMETER),
                        },
                    ),
                },
            ),
        },
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        "AWS::Events::Rule",
        {
            "description": "Description",
            "eventPattern": read_json("EventPattern"),
            "state": "State",
            **_TAGS,
        },
    ),
    "aws:cloudwatch/logGroup:LogGroup": (
        "AWS::Logs::LogGroup",
        {
            "name": "LogGroupName",
            "namePrefix": append_suffix("LogGroupName"),
            "retentionInDays": "RetentionInDays",
            **_TAGS,
        },
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "AWS::CloudWatch::Alarm",
        {
            "alarmDescription": "AlarmDescription",
            "namespace": "Namespace",
            "metricName": "MetricName",
            "dimensions": list_pairs("Dimensions", "Name", "Value"),
            "statistic": "Statistic",
            "comparisonOperator": "ComparisonOperator",
            "threshold": "Threshold",
            "period": "Period",
            "evaluationPeriods": "EvaluationPeriods",
            "treatMissingData": "TreatMissingData",
            **_TAGS,
        },
    ),
    "aws:dynamodb/table:Table": (
        "AWS::DynamoDB::Table",
        {
            "attributes": rename_each("AttributeDefinitions", {"name": "AttributeName", "type": "AttributeType"}),
            "hashKey": mark_key("HASH"),
            "rangeKey": mark_key("RANGE"),
            "billingMode": "BillingMode",
            "globalSecondaryIndexes": rename_each(
                "GlobalSecondaryIndexes",
                {
                    "name": "IndexName",
                    "hashKey": mark_key("HASH"),
                    "rangeKey": mark_key("RANGE"),
                    "projectionType": lambda kind: {"Projection": {"ProjectionType": kind}},
                },
            ),
            "pointInTimeRecovery": rename_fields(
                "PointInTimeRecoverySpecification", {"enabled": "PointInTimeRecoveryEnabled"}
            ),
            "ttl": rename_fields("TimeToLiveSpecification", {"attributeName": "AttributeName", "enabled": "Enabled"}),
            "deletionProtectionEnabled": "DeletionProtectionEnabled",
            **_TAGS,
        },
    ),
    "aws:iam/role:Role": (
        "AWS::IAM::Role",
        {
            "description": "Description",
            "assumeRolePolicy": read_json("AssumeRolePolicyDocument"),
            **_TAGS,
        },
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        "AWS::IAM::RolePolicy",
        {"role": "RoleName", "policy": read_json("PolicyDocument")},
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        "AWS::Lambda::EventSourceMapping",
        {
            "eventSourceArn": "EventSourceArn",
            "functionName": "FunctionName",
            "batchSize": "BatchSize",
            "functionResponseTypes": "FunctionResponseTypes",
            "scalingConfig": rename_fields("ScalingConfig", {"maximumConcurrency": "MaximumConcurrency"}),
            **_TAGS,
        },
    ),
    "aws:lambda/function:Function": (
        "AWS::Lambda::Function",
        {
            "name": "FunctionName",
            "description": "Description",
            "code": locate_code,
            "handler": "Handler",
            "runtime": "Runtime",
            "architectures": "Architectures",
            "role": "Role",
            "layers": "Layers",
            "timeout": "Timeout",
            "memorySize": "MemorySize",
            "reservedConcurrentExecutions": "ReservedConcurrentExecutions",
            "environment": rename_fields("Environment", {"variables": "Variables"}),
            "loggingConfig": rename_fields("LoggingConfig", {"logGroup": "LogGroup", "logFormat": "LogFormat"}),
            **_TAGS,
        },
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "AWS::Lambda::EventInvokeConfig",
        {
            # The provider's default is the function itself, which the template has to name.
            "functionName": lambda name: {"FunctionName": name, "Qualifier": "$LATEST"},
            **_RETRY_POLICY,
            "destinationConfig": rename_fields(
                "DestinationConfig", {"onFailure": rename_fields("OnFailure", {"destination": "Destination"})}
            ),
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
        },
    ),
    "aws:s3/bucket:Bucket": (
        "AWS::S3::Bucket",
        {"bucketPrefix": append_suffix("BucketName"), "forceDestroy": leave_out, **_TAGS},
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (
        "AWS::S3::BucketPolicy",
        {"bucket": "Bucket", "policy": read_json("PolicyDocument")},
    ),
    "aws:scheduler/schedule:Schedule": (
        "AWS::Scheduler::Schedule",
        {
            "groupName": "GroupName",
            "description": "Description",
            "scheduleExpression": "ScheduleExpression",
            "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
            "flexibleTimeWindow": rename_fields(
                "FlexibleTimeWindow", {"mode": "Mode", "maximumWindowInMinutes": "MaximumWindowInMinutes"}
            ),
            "state": "State",
            "target": rename_fields(
                "Target",
                {
                    "arn": "Arn",
                    "eventbridgeParameters": rename_fields(
                        "EventBridgeParameters", {"detailType": "DetailType", "source": "Source"}
                    ),
                    "roleArn": "RoleArn",
                    "input": "Input",
                    "retryPolicy": rename_fields("RetryPolicy", _RETRY_POLICY),
                    **_DEAD_LETTERS,
                },
            ),
        },
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": ("AWS::Scheduler::ScheduleGroup", _TAGS),
    "aws:secretsmanager/secret:Secret": (
        "AWS::SecretsManager::Secret",
        {"description": "Description", "recoveryWindowInDays": leave_out, **_TAGS},
    ),
    "aws:secretsmanager/secretRotation:SecretRotation": (
        "AWS::SecretsManager::RotationSchedule",
        {
            "secretId": "SecretId",
            "rotationLambdaArn": "RotationLambdaARN",
            "rotateImmediately": "RotateImmediatelyOnUpdate",
            "rotationRules": rename_fields("RotationRules", {"automaticallyAfterDays": "AutomaticallyAfterDays"}),
        },
    ),
    "aws:sfn/stateMachine:StateMachine": (
        "AWS::StepFunctions::StateMachine",
        {
            "definition": "DefinitionString",
            "roleArn": "RoleArn",
            "type": "StateMachineType",
            "loggingConfiguration": rename_fields(
                "LoggingConfiguration",
                {
                    "level": "Level",
                    "includeExecutionData": "IncludeExecutionData",
                    "logDestination": lambda arn: {"Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": arn}}]},
                },
            ),
            **_TAGS,
        },
    ),
    "aws:sns/topic:Topic": ("AWS::SNS::Topic", {"kmsMasterKeyId": "KmsMasterKeyId", **_TAGS}),
    "aws:sns/topicPolicy:TopicPolicy": (
        "AWS::SNS::TopicPolicy",
        {"arn": wrap_in_list("Topics"), "policy": read_json("PolicyDocument")},
    ),
    "aws:sns/topicSubscription:TopicSubscription": (
        "AWS::SNS::Subscription",
        {
            "topic": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "rawMessageDelivery": "RawMessageDelivery",
            "filterPolicy": read_json("FilterPolicy"),
            "filterPolicyScope": "FilterPolicyScope",
            "redrivePolicy": read_json("RedrivePolicy"),
            "subscriptionRoleArn": "SubscriptionRoleArn",
        },
    ),
    "aws:sqs/queue:Queue": (
        "AWS::SQS::Queue",
        {
            "messageRetentionSeconds": "MessageRetentionPeriod",
            "maxMessageSize": "MaximumMessageSize",
            "visibilityTimeoutSeconds": "VisibilityTimeout",
            "kmsMasterKeyId": "KmsMasterKeyId",
            "sqsManagedSseEnabled": "SqsManagedSseEnabled",
            "redrivePolicy": read_json("RedrivePolicy"),
            **_TAGS,
        },
    ),
    "aws:sqs/queuePolicy:QueuePolicy": (
        "AWS::SQS::QueuePolicy",
        {"queueUrl": wrap_in_list("Queues"), "policy": read_json("PolicyDocument")},
    ),
    "aws:ssm/parameter:Parameter": (
        "AWS::SSM::Parameter",
        {
            "description": "Description",
            "type": "Type",
            "value": "Value",
            "tags": lambda tags: {"Tags": tags},
        },
    ),
}
"""A type of the provider -> its type in a template, and its inputs there."""

NAMES: Mapping[str, str] = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": "AlarmName",
    "aws:cloudwatch/dashboard:Dashboard": "DashboardName",
    "aws:cloudwatch/eventApiDestination:EventApiDestination": "Name",
    "aws:cloudwatch/eventConnection:EventConnection": "Name",
    "aws:cloudwatch/eventRule:EventRule": "Name",
    "aws:cloudwatch/logGroup:LogGroup": "LogGroupName",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "AlarmName",
    "aws:dynamodb/table:Table": "TableName",
    "aws:iam/role:Role": "RoleName",
    "aws:iam/rolePolicy:RolePolicy": "PolicyName",
    "aws:lambda/function:Function": "FunctionName",
    "aws:scheduler/schedule:Schedule": "Name",
    "aws:scheduler/scheduleGroup:ScheduleGroup": "Name",
    "aws:secretsmanager/secret:Secret": "Name",
    "aws:sfn/stateMachine:StateMachine": "StateMachineName",
    "aws:sns/topic:Topic": "TopicName",
    "aws:sqs/queue:Queue": "QueueName",
    "aws:ssm/parameter:Parameter": "Name",
}
"""The property that is the name, which the provider makes from the logical one where the program gives none
(https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming)."""
PARTS: Mapping[str, tuple[str, str, Names]] = {
    "aws:cloudwatch/eventTarget:EventTarget": (
        "aws:cloudwatch/eventRule:EventRule",
        "rule",
        {
            "targetId": "Id",
            "arn": "Arn",
            "roleArn": "RoleArn",
            "inputPath": "InputPath",
            "inputTransformer": rename_fields(
                "InputTransformer",
                {"inputPaths": lambda paths: {"InputPathsMap": paths}, "inputTemplate": "InputTemplate"},
            ),
            "retryPolicy": rename_fields("RetryPolicy", _RETRY_POLICY),
            **_DEAD_LETTERS,
        },
    ),
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": (
        "aws:lambda/function:Function",
        "functionName",
        {"recursiveLoop": "RecursiveLoop"},
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "aws:s3/bucket:Bucket",
        "bucket",
        {
            "rules": lambda rules: {
                "LifecycleConfiguration": rename_each("Rules", _LIFECYCLE_RULE)(rules),
            },
        },
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        "aws:s3/bucket:Bucket",
        "bucket",
        {
            "rule": lambda rule: {
                "ObjectLockEnabled": True,
                "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", **_LOCK_RULE(rule)},
            },
        },
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        "aws:s3/bucket:Bucket",
        "bucket",
        {
            "blockPublicAcls": "BlockPublicAcls",
            "blockPublicPolicy": "BlockPublicPolicy",
            "ignorePublicAcls": "IgnorePublicAcls",
            "restrictPublicBuckets": "RestrictPublicBuckets",
        },
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "aws:s3/bucket:Bucket",
        "bucket",
        {
            "rules": lambda rules: {
                "BucketEncryption": rename_each("ServerSideEncryptionConfiguration", _ENCRYPTION_RULE)(rules),
            },
        },
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (
        "aws:s3/bucket:Bucket",
        "bucket",
        {"versioningConfiguration": rename_fields("VersioningConfiguration", {"status": "Status"})},
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        "aws:secretsmanager/secret:Secret",
        "secretId",
        {"secretString": "SecretString"},
    ),
}
"""Resources of the provider that are properties of another one in a template: the type of the other one, the input with
its name, and the other inputs."""
NESTED_PARTS = {
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "PublicAccessBlockConfiguration",
}
"""Whose other inputs are fields of an object: the property that is the object."""
LISTED_PARTS = {"aws:cloudwatch/eventTarget:EventTarget": "Targets"}
"""Of which the other one may have several: the property that is their list."""
