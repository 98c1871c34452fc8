"""Errors to plant into templates, so that a validator that finds nothing is known to have looked.

What is required and what is allowed is from the page of each type in AWS's Template Reference
(https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html).
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple


class Errors(NamedTuple):
    """What to plant into one resource of a type; paths have their parts divided by slashes."""

    required: str
    """The path of what its schema requires, which is taken away."""
    path: str
    """The path of a property that gets a wrong value."""
    value: Any


ERRORS: Mapping[str, Errors] = {
    "AWS::CloudTrail::Trail": Errors("IsLogging", "EventSelectors/0/ReadWriteType", "Write"),
    "AWS::CloudWatch::Alarm": Errors("Dimensions/0/Name", "TreatMissingData", "ignored"),
    "AWS::CloudWatch::CompositeAlarm": Errors("AlarmRule", "AlarmDescription", "x" * 1025),
    "AWS::CloudWatch::Dashboard": Errors("DashboardBody", "DashboardName", ["two", "names"]),
    "AWS::DynamoDB::Table": Errors("KeySchema", "BillingMode", "FREE"),
    "AWS::Events::ApiDestination": Errors("ConnectionArn", "HttpMethod", "FETCH"),
    "AWS::Events::Connection": Errors("AuthParameters/ApiKeyAuthParameters/ApiKeyName", "AuthorizationType", "NONE"),
    "AWS::Events::Rule": Errors("Targets/0/Id", "State", "ON"),
    "AWS::IAM::Role": Errors("AssumeRolePolicyDocument", "MaxSessionDuration", 60),
    "AWS::IAM::RolePolicy": Errors("RoleName", "PolicyDocument/Version", "2012-10-18"),
    "AWS::Lambda::EventInvokeConfig": Errors("Qualifier", "MaximumRetryAttempts", 3),
    "AWS::Lambda::EventSourceMapping": Errors("FunctionName", "FunctionResponseTypes", ["ReportItemFailures"]),
    "AWS::Lambda::Function": Errors("Code", "MemorySize", 127),
    "AWS::Lambda::Permission": Errors("Principal", "SourceAccount", "12345"),
    "AWS::Logs::LogGroup": Errors("Tags/0/Key", "RetentionInDays", 61),
    "AWS::S3::Bucket": Errors("LifecycleConfiguration/Rules", "VersioningConfiguration/Status", "On"),
    "AWS::S3::BucketPolicy": Errors("Bucket", "PolicyDocument/Statement/0/Effect", "Permit"),
    "AWS::SNS::Subscription": Errors("TopicArn", "RawMessageDelivery", "perhaps"),
    "AWS::SNS::Topic": Errors("Tags/0/Key", "FifoTopic", "perhaps"),
    "AWS::SNS::TopicPolicy": Errors("Topics", "PolicyDocument/Statement/0/Effect", "Permit"),
    "AWS::SQS::Queue": Errors("Tags/0/Key", "VisibilityTimeout", 43_201),
    "AWS::SQS::QueuePolicy": Errors("Queues", "PolicyDocument/Statement/0/Effect", "Permit"),
    "AWS::SSM::Parameter": Errors("Value", "Type", "Text"),
    "AWS::Scheduler::Schedule": Errors("Target/RoleArn", "FlexibleTimeWindow/MaximumWindowInMinutes", 1441),
    "AWS::Scheduler::ScheduleGroup": Errors("Tags/0/Key", "Name", "a group"),
    "AWS::SecretsManager::RotationSchedule": Errors("SecretId", "RotateImmediatelyOnUpdate", "perhaps"),
    "AWS::SecretsManager::Secret": Errors("Tags/0/Key", "Description", "x" * 2049),
    "AWS::StepFunctions::StateMachine": Errors("RoleArn", "LoggingConfiguration/Level", "LOUD"),
}
"""Of each type that the program asks for."""

NOT_FOUND: Mapping[str, tuple[str, str, Any]] = {
    "schedule expressions of Scheduler": ("AWS::Scheduler::Schedule", "ScheduleExpression", "rate(1 lightyear)"),
    "time zones": ("AWS::Scheduler::Schedule", "ScheduleExpressionTimezone", "Europe/Atlantis"),
    "protocols of SNS": ("AWS::SNS::Subscription", "Protocol", "smtp"),
    "endpoints of SNS": ("AWS::SNS::Subscription", "Endpoint", "nowhere"),
    "filter policies": ("AWS::SNS::Subscription", "FilterPolicy", {"severity": [{"prefixes": ["x"]}]}),
    "the scope of filter policies": ("AWS::SNS::Subscription", "FilterPolicyScope", "Everything"),
    "the body of dashboards": ("AWS::CloudWatch::Dashboard", "DashboardBody", '{"widgets": [{"type": "clock"}]}'),
    "the rule of composite alarms": ("AWS::CloudWatch::CompositeAlarm", "AlarmRule", "ALARM(first AND"),
    "names of metrics": ("AWS::CloudWatch::Alarm", "MetricName", "NumberOfNotificationsFaild"),
    "event patterns": ("AWS::Events::Rule", "EventPattern", {"source": [{"prefixes": ["x"]}]}),
    "services in permissions": ("AWS::Lambda::Permission", "Principal", "event.amazonaws.com"),
    "handlers of functions": ("AWS::Lambda::Function", "Handler", "handlers.nobody.handler"),
    "days between rotations": ("AWS::SecretsManager::RotationSchedule", "RotationRules/AutomaticallyAfterDays", 1001),
    "targets of redrive policies": ("AWS::SQS::Queue", "RedrivePolicy/deadLetterTargetArn", "nowhere"),
}
"""What cfn-lint does not look at, planted all the same: when it does one day, docs/validators.md is wrong."""


def plant(properties: Mapping[str, Any], path: str, value: Any = None) -> dict[str, Any]:
    """A copy of the properties with this value at the path, or, without a value, with nothing there."""
    planted = copy.deepcopy(dict(properties))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = planted
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return planted
