# ruff: noqa: N802, N803 - the names are AWS's
"""The responses of each AWS operation that `rotation-guard doctor` calls, in the shapes of the API references."""

import json
from datetime import datetime
from typing import Any

from local.mocks.recording import ACCOUNT
from tests.contracts.test_rules_and_events import matches

Values = dict[str, Any]
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/on-call"


class Responses:
    """Operations by their names; what does not exist is a KeyError. The attributes are those of `DeployedAws`."""

    now: datetime
    trails: list[Values]
    trail_status: dict[str, Values]
    selectors: dict[str, Values]
    rules: dict[str, Values]
    targets: dict[str, list[Values]]
    schedules: dict[str, Values]
    topics: dict[str, Values]
    subscriptions: dict[str, list[Values]]
    subscription_attributes: dict[str, Values]
    queues: dict[str, Values]
    functions: dict[str, Values]
    concurrency: dict[str, Values]
    invoke_configurations: dict[str, Values]
    function_policies: dict[str, list[Values]]
    mappings: list[Values]
    roles: dict[str, Values]
    role_policies: dict[str, dict[str, Values]]
    attached: dict[str, list[Values]]
    tables: dict[str, Values]
    recovery: dict[str, str]
    expiry: dict[str, Values]
    runs: list[Values]
    canaries: list[Values]
    buckets: dict[str, Values]
    buses: dict[str, Values]
    destinations: dict[str, Values]
    connections: dict[str, Values]
    hubs: list[Values]
    composite_alarms: dict[str, Values]
    metric_alarms: dict[str, Values]
    oldest_event_seconds: float | None
    machines: dict[str, Values]
    parameters: dict[str, Values]
    keys: dict[str, Values]
    key_policies: dict[str, str]

    def GetCallerIdentity(self) -> Values:
        return {"Account": ACCOUNT, "Arn": CALLER, "UserId": "A:on-call"}

    def ListAccountAliases(self) -> Values:
        return {"AccountAliases": ["acme-prod"]}

    def DescribeTrails(self, **_: Any) -> Values:
        return {"trailList": self.trails}

    def GetTrailStatus(self, Name: str) -> Values:
        return self.trail_status[Name]

    def GetEventSelectors(self, TrailName: str) -> Values:
        return self.selectors[TrailName]

    def DescribeRule(self, Name: str, **_: Any) -> Values:
        return self.rules[Name]

    def ListTargetsByRule(self, Rule: str, **_: Any) -> Values:
        return {"Targets": self.targets[Rule]}

    def TestEventPattern(self, EventPattern: str, Event: str) -> Values:
        return {"Result": matches(json.loads(EventPattern), json.loads(Event))}

    def DescribeEventBus(self, Name: str) -> Values:
        return {bus["Name"]: bus for bus in self.buses.values()}[Name.rpartition("/")[2]]

    def DescribeApiDestination(self, Name: str) -> Values:
        return {"Name": Name, "InvocationEndpoint": "https://hooks.example.com/T0KEN", **self.destinations[Name]}

    def DescribeConnection(self, Name: str) -> Values:
        return {"Name": Name, **self.connections[Name]}

    def DescribeHub(self) -> Values:
        if not self.hubs:
            raise KeyError("hub")
        return self.hubs[0]

    def GetSchedule(self, Name: str, **_: Any) -> Values:
        return self.schedules[Name]

    def GetTopicAttributes(self, TopicArn: str) -> Values:
        return {"Attributes": self.topics[TopicArn]}

    def ListSubscriptionsByTopic(self, TopicArn: str) -> Values:
        return {"Subscriptions": self.subscriptions[TopicArn]}

    def GetSubscriptionAttributes(self, SubscriptionArn: str) -> Values:
        return {"Attributes": self.subscription_attributes[SubscriptionArn]}

    def GetQueueAttributes(self, QueueUrl: str, **_: Any) -> Values:
        return {"Attributes": self.queues[QueueUrl]}

    def GetQueueUrl(self, QueueName: str, **_: Any) -> Values:
        return {"QueueUrl": {url.rpartition("/")[2]: url for url in self.queues}[QueueName]}

    def GetFunctionConfiguration(self, FunctionName: str) -> Values:
        return self.functions[FunctionName]

    def GetFunctionConcurrency(self, FunctionName: str) -> Values:
        return self.concurrency[FunctionName]

    def GetFunctionEventInvokeConfig(self, FunctionName: str) -> Values:
        return self.invoke_configurations[FunctionName]

    def GetPolicy(self, FunctionName: str) -> Values:
        return {"Policy": json.dumps({"Statement": self.function_policies[FunctionName]})}

    def ListEventSourceMappings(self, FunctionName: str) -> Values:
        of_function = [one for one in self.mappings if one["FunctionArn"].endswith(f":{FunctionName}")]
        return {"EventSourceMappings": of_function}

    def GetRole(self, RoleName: str) -> Values:
        return {"Role": {"RoleName": RoleName, **self.roles[RoleName]}}

    def ListRolePolicies(self, RoleName: str) -> Values:
        return {"PolicyNames": list(self.role_policies[RoleName])}

    def GetRolePolicy(self, RoleName: str, PolicyName: str) -> Values:
        return {"PolicyDocument": self.role_policies[RoleName][PolicyName]}

    def ListAttachedRolePolicies(self, RoleName: str) -> Values:
        return {"AttachedPolicies": self.attached[RoleName]}

    def DescribeTable(self, TableName: str) -> Values:
        return {"Table": self.tables[TableName]}

    def DescribeContinuousBackups(self, TableName: str) -> Values:
        recovery = {"PointInTimeRecoveryStatus": self.recovery[TableName]}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def DescribeTimeToLive(self, TableName: str) -> Values:
        return {"TimeToLiveDescription": self.expiry[TableName]}

    def Query(self, KeyConditionExpression: str, **_: Any) -> Values:
        rows = self.runs if "<= :until" in KeyConditionExpression else []
        if "secret_arn" in KeyConditionExpression:
            rows = self.canaries
        return {"Items": [{name: _to_attribute(value) for name, value in row.items()} for row in rows]}

    def DescribeAlarms(self, AlarmNames: list[str], **_: Any) -> Values:
        return {
            "CompositeAlarms": [alarm for name, alarm in self.composite_alarms.items() if name in AlarmNames],
            "MetricAlarms": [alarm for name, alarm in self.metric_alarms.items() if name in AlarmNames],
        }

    def GetMetricStatistics(self, **_: Any) -> Values:
        seconds = self.oldest_event_seconds
        return {"Datapoints": [] if seconds is None else [{"Timestamp": self.now, "Maximum": seconds}]}

    def DescribeStateMachine(self, stateMachineArn: str) -> Values:
        return self.machines[stateMachineArn]

    def GetParameter(self, Name: str) -> Values:
        return {"Parameter": self.parameters[Name]}

    def GetBucketVersioning(self, Bucket: str) -> Values:
        return self.buckets[Bucket]["versioning"]

    def GetBucketEncryption(self, Bucket: str) -> Values:
        rule = {"ApplyServerSideEncryptionByDefault": self.buckets[Bucket]["encryption"]}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def GetPublicAccessBlock(self, Bucket: str) -> Values:
        return {"PublicAccessBlockConfiguration": self.buckets[Bucket]["block"]}

    def GetObjectLockConfiguration(self, Bucket: str) -> Values:
        rule = {"DefaultRetention": self.buckets[Bucket]["lock"]}
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}}

    def ListObjectsV2(self, Bucket: str, Prefix: str, StartAfter: str) -> Values:
        keys = [key for key in self.buckets[Bucket]["keys"] if key.startswith(Prefix) and key > StartAfter]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {}

    def DescribeKey(self, KeyId: str) -> Values:
        return {"KeyMetadata": self.keys[KeyId]}

    def GetKeyPolicy(self, KeyId: str, **_: Any) -> Values:
        return {"Policy": self.key_policies[KeyId]}


def _to_attribute(value: Any) -> Values:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [_to_attribute(inner) for inner in value]}
    return {"S": value}
