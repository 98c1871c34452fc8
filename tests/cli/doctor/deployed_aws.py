"""AWS as it answers about a stack that the program has deployed, in the shapes that AWS documents."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.mocks.recording import ACCOUNT, REGION, Recording
from rotation_guard.domain.canary import CANARY
from rotation_guard.domain.timestamps import to_iso

from .responses import Responses, Values

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/all"
MISSING = {
    "events": "ResourceNotFoundException",
    "sns": "NotFound",
    "sqs": "AWS.SimpleQueueService.NonExistentQueue",
    "scheduler": "ResourceNotFoundException",
    "iam": "NoSuchEntity",
    "lambda": "ResourceNotFoundException",
    "dynamodb": "ResourceNotFoundException",
    "states": "StateMachineDoesNotExist",
    "ssm": "ParameterNotFound",
    "kms": "NotFoundException",
    "s3": "NoSuchBucket",
    "securityhub": "InvalidAccessException",
    "cloudtrail": "TrailNotFoundException",
}
"""The error codes of the services' API references for a resource that does not exist."""
DENIED = {"sqs": "AccessDenied", "sns": "AuthorizationError", "iam": "AccessDenied", "s3": "AccessDenied"}
"""The error codes for a call that is not permitted, of services that do not use AccessDeniedException."""

ACTIONS = {
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""Service and operation -> the permission that it needs, where that has another name
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html)."""


class Refusal(Exception):
    """An error response."""

    def __init__(self, code: str, message: str = "No.") -> None:
        super().__init__(message)
        self.response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}


class DeployedAws(Responses):
    """Everything works until a test changes one of these attributes."""

    def __init__(self, recording: Recording) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.outputs = json.loads(json.dumps(recording.outputs))
        self.denied: set[str] = set()
        self.refusals: dict[str, str] = {}
        """IAM action -> the error code of its calls."""
        self.is_reachable = True
        self.calls: list[str] = []
        self.trails = [{"Name": "all", "TrailARN": TRAIL, "HomeRegion": REGION, "IsMultiRegionTrail": True}]
        self.trail_status: dict[str, Values] = {TRAIL: {"IsLogging": True}}
        self.selectors: dict[str, Values] = {
            TRAIL: {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
        }
        self.keys: dict[str, Values] = {}
        self.key_policies: dict[str, str] = {}
        self.runs = [self.build_run(0.5)]
        self.hubs = [{"SubscribedAt": "2026-01-01T00:00:00.000Z"}]
        self.oldest_event_seconds: float | None = None
        table = self.outputs.get("incidents_table_name", "none")
        self.canaries = [self.build_canary(0.5, "another-table"), self.build_canary(3, table)]
        self._read_events(recording)
        self._read_messaging(recording)
        self._read_functions(recording)
        self._read_roles(recording)
        self._read_tables(recording)
        self._read_buckets(recording)
        self._read_alarms(recording)

    def build_run(self, hours: float, **more: Any) -> Values:
        """A run that started so many hours ago, complete unless more says otherwise."""
        started_at = to_iso(self.now - timedelta(hours=hours))
        return {
            "audit": "rotation",
            "run_id": started_at,
            "started_at": started_at,
            "finished_at": to_iso(self.now - timedelta(hours=hours - 0.01)),
            "complete": True,
            "checked": 3,
            "period_seconds": 3600,
            **more,
        }

    def build_canary(self, hours: float, incidents_table: str) -> Values:
        """The row of a canary, of so many hours ago, of the stack with this table."""
        at = to_iso(self.now - timedelta(hours=hours))
        return {"secret_arn": CANARY, "recorded": f"{at}#canary-{incidents_table}-{at}"}

    def bucket(self) -> Values:
        """The bucket of stored reports."""
        return self.buckets[self.outputs["reports_bucket_name"]]

    def rule(self, short: str) -> Values:
        """A rule by its short name."""
        return self.rules[{**self.outputs["rule_names"], **self.outputs.get("receiver_rule_names", {})}[short]]

    def target(self, short: str) -> Values:
        """The first target of a rule."""
        return self.targets[self.rule(short)["Name"]][0]

    def function(self, short: str) -> Values:
        """The configuration of a function by its short name."""
        return self.functions[self.outputs["function_names"][short]]

    def queue(self, output: str) -> Values:
        """The attributes of a queue by its output."""
        return self.queues[self.outputs[output]]

    def statements(self, role: str) -> list[Values]:
        """The statements of the first policy of a role."""
        return next(iter(self.role_policies[role].values()))["Statement"]

    def answer(self, call: str, parameters: Values) -> Values:
        """The response to a call, which is a service and an operation. Raises Refusal."""
        service, _, operation = call.partition(":")
        action = ACTIONS.get(call, call)
        self.calls.append(action)
        if not self.is_reachable:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.{REGION}.amazonaws.com")
        if action in self.denied:
            raise Refusal(DENIED.get(service, "AccessDeniedException"))
        if action in self.refusals:
            raise Refusal(self.refusals[action])
        try:
            return getattr(self, operation)(**parameters)
        except KeyError as error:
            raise Refusal(MISSING[service], f"There is no {error}.") from None

    # --- what the program deploys ------------------------------------------------------------------------------------

    def _read_events(self, recording: Recording) -> None:
        self.rules = {
            rule.outputs["name"]: {
                "Name": rule.outputs["name"],
                "Arn": rule.arn,
                "EventPattern": rule.inputs["eventPattern"],
                "State": rule.inputs["state"],
                "EventBusName": rule.inputs.get("eventBusName", "default"),
            }
            for rule in recording.of_type("aws:cloudwatch/eventRule:EventRule")
        }
        self.targets: dict[str, list[Values]] = {name: [] for name in self.rules}
        for target in recording.of_type("aws:cloudwatch/eventTarget:EventTarget"):
            queue = {"Arn": target.inputs["deadLetterConfig"]["arn"]}
            described = {
                "Id": target.inputs["targetId"],
                "Arn": target.inputs["arn"],
                "DeadLetterConfig": queue,
                **_present(RoleArn=target.inputs.get("roleArn")),
            }
            self.targets[target.inputs["rule"]].append(described)
        self.buses = {
            bus.arn: {"Name": bus.outputs["name"], "Arn": bus.arn, "Policy": policy.inputs["policy"]}
            for bus in recording.of_type("aws:cloudwatch/eventBus:EventBus")
            for policy in recording.of_type("aws:cloudwatch/eventBusPolicy:EventBusPolicy")
            if policy.inputs["eventBusName"] == bus.outputs["name"]
        }
        self.destinations = {
            one.outputs["name"]: {"ApiDestinationState": "ACTIVE", "ConnectionArn": one.inputs["connectionArn"]}
            for one in recording.of_type("aws:cloudwatch/eventApiDestination:EventApiDestination")
        }
        self.connections = {
            one.outputs["name"]: {"ConnectionState": "AUTHORIZED"}
            for one in recording.of_type("aws:cloudwatch/eventConnection:EventConnection")
        }
        self.schedules = {
            schedule.outputs["name"]: {
                "State": schedule.inputs["state"],
                "ScheduleExpression": schedule.inputs["scheduleExpression"],
                "LastModificationDate": self.now - timedelta(days=9),
                "Target": _describe_schedule_target(schedule.inputs["target"]),
            }
            for schedule in recording.of_type("aws:scheduler/schedule:Schedule")
        }

    def _read_messaging(self, recording: Recording) -> None:
        self.topics = {
            topic.arn: {"TopicArn": topic.arn, **_present(KmsMasterKeyId=topic.inputs.get("kmsMasterKeyId"))}
            for topic in recording.of_type("aws:sns/topic:Topic")
        }
        for policy in recording.of_type("aws:sns/topicPolicy:TopicPolicy"):
            self.topics[policy.inputs["arn"]]["Policy"] = policy.inputs["policy"]
        self.subscriptions: dict[str, list[Values]] = {arn: [] for arn in self.topics}
        self.subscription_attributes: dict[str, Values] = {}
        for number, one in enumerate(recording.of_type("aws:sns/topicSubscription:TopicSubscription")):
            arn = f"{one.inputs['topic']}:{number}"
            described = {"Protocol": one.inputs["protocol"], "Endpoint": one.inputs["endpoint"]}
            self.subscriptions[one.inputs["topic"]].append({"SubscriptionArn": arn, **described})
            self.subscription_attributes[arn] = _present(RedrivePolicy=one.inputs.get("redrivePolicy"))
        self.queues = {
            queue.outputs["url"]: {
                "QueueArn": queue.arn,
                "ApproximateNumberOfMessages": "0",
                "ApproximateNumberOfMessagesNotVisible": "0",
                **_present(
                    KmsMasterKeyId=queue.inputs.get("kmsMasterKeyId"), RedrivePolicy=queue.inputs.get("redrivePolicy")
                ),
            }
            for queue in recording.of_type("aws:sqs/queue:Queue")
        }
        for policy in recording.of_type("aws:sqs/queuePolicy:QueuePolicy"):
            self.queues[policy.inputs["queueUrl"]]["Policy"] = policy.inputs["policy"]

    def _read_functions(self, recording: Recording) -> None:
        self.functions, self.function_policies = {}, {}
        self.concurrency: dict[str, Values] = {}
        for function in recording.of_type("aws:lambda/function:Function"):
            name, reserved = function.outputs["name"], function.inputs.get("reservedConcurrentExecutions")
            self.functions[name] = {
                "FunctionName": name,
                "FunctionArn": function.arn,
                "Role": function.inputs["role"],
                "Runtime": function.inputs["runtime"],
                "Environment": {"Variables": dict(function.inputs["environment"]["variables"])},
                "State": "Active",
                "LastUpdateStatus": "Successful",
            }
            self.concurrency[name] = _present(ReservedConcurrentExecutions=reserved and int(reserved))
        for permission in recording.of_type("aws:lambda/permission:Permission"):
            name = permission.inputs["function"].rpartition(":")[2]
            if name in self.functions:
                # As Lambda writes it (https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html).
                statement = {
                    "Effect": "Allow",
                    "Principal": {"Service": permission.inputs["principal"]},
                    "Action": permission.inputs["action"],
                    "Resource": self.functions[name]["FunctionArn"],
                    "Condition": {"ArnLike": {"AWS:SourceArn": permission.inputs["sourceArn"]}},
                }
                self.function_policies.setdefault(name, []).append(statement)
        self.invoke_configurations = {
            one.inputs["functionName"]: {
                "DestinationConfig": {
                    "OnFailure": {"Destination": one.inputs["destinationConfig"]["onFailure"]["destination"]}
                }
            }
            for one in recording.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
        }
        self.mappings = [
            {"UUID": "m-1", "EventSourceArn": one.inputs["eventSourceArn"], "State": "Enabled", "FunctionArn": arn}
            for one in recording.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
            if (arn := one.inputs["functionName"])
        ]
        self.machines = {
            machine.arn: {
                "stateMachineArn": machine.arn,
                "status": "ACTIVE",
                "roleArn": machine.inputs["roleArn"],
                "loggingConfiguration": {
                    "level": logging["level"],
                    "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": logging["logDestination"]}}],
                },
            }
            for machine in recording.of_type("aws:sfn/stateMachine:StateMachine")
            if (logging := machine.inputs["loggingConfiguration"])
        }
        self.parameters = {
            one.outputs["name"]: {"Name": one.outputs["name"], "Value": one.inputs["value"]}
            for one in recording.of_type("aws:ssm/parameter:Parameter")
        }

    def _read_roles(self, recording: Recording) -> None:
        self.roles: dict[str, Values] = {
            role.outputs["name"]: {"AssumeRolePolicyDocument": json.loads(role.inputs["assumeRolePolicy"])}
            for role in recording.of_type("aws:iam/role:Role")
        }
        self.role_policies: dict[str, dict[str, Values]] = {name: {} for name in self.roles}
        for policy in recording.of_type("aws:iam/rolePolicy:RolePolicy"):
            self.role_policies[policy.inputs["role"]][policy.name] = json.loads(policy.inputs["policy"])
        self.attached: dict[str, list[Values]] = {name: [] for name in self.roles}

    def _read_tables(self, recording: Recording) -> None:
        tables = recording.of_type("aws:dynamodb/table:Table")
        self.tables = {
            table.outputs["name"]: {
                "TableName": table.outputs["name"],
                "TableStatus": "ACTIVE",
                "DeletionProtectionEnabled": table.inputs["deletionProtectionEnabled"],
                "GlobalSecondaryIndexes": [
                    {"IndexName": index["name"], "IndexStatus": "ACTIVE"}
                    for index in table.inputs.get("globalSecondaryIndexes", [])
                ],
            }
            for table in tables
        }
        self.recovery = {table.outputs["name"]: "ENABLED" for table in tables}
        self.expiry = {
            table.outputs["name"]: {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"} for table in tables
        }

    def _read_buckets(self, recording: Recording) -> None:
        def configure(kind: str, field: str) -> Values:
            return {
                one.inputs["bucket"]: one.inputs[field]
                for one in recording.of_type(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}")
            }

        versioning = configure("BucketVersioning", "versioningConfiguration")
        encryption = configure("BucketServerSideEncryptionConfiguration", "rules")
        locks = configure("BucketObjectLockConfiguration", "rule")
        self.buckets = {name: {"versioning": {"Status": one["status"]}} for name, one in versioning.items()}
        for name, [rule] in encryption.items():
            default = rule["applyServerSideEncryptionByDefault"]
            self.buckets[name]["encryption"] = _present(
                SSEAlgorithm=default["sseAlgorithm"], KMSMasterKeyID=default.get("kmsMasterKeyId")
            )
        for name, rule in locks.items():
            retention = rule["defaultRetention"]
            self.buckets[name]["lock"] = {"Mode": retention["mode"], "Days": int(retention["days"])}
        for block in recording.of_type("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"):
            self.buckets[block.inputs["bucket"]]["block"] = {
                f"{name[0].upper()}{name[1:]}": value for name, value in block.inputs.items() if name != "bucket"
            }
        for bucket in self.buckets.values():
            bucket["keys"] = [self.build_report_key(hours) for hours in (25, 1)]

    def build_report_key(self, hours: float) -> str:
        """The key of the report of so many hours ago."""
        return f"reports/{self.now - timedelta(hours=hours):%Y/%m/%Y-%m-%dT%H-%M-%SZ}.csv"

    def _read_alarms(self, recording: Recording) -> None:
        shared = {"ActionsEnabled": True, "StateValue": "OK", "StateUpdatedTimestamp": self.now - timedelta(days=9)}
        self.metric_alarms = {
            alarm.outputs["name"]: {
                "AlarmName": alarm.outputs["name"],
                "AlarmDescription": alarm.inputs["alarmDescription"],
                "MetricName": alarm.inputs["metricName"],
                "TreatMissingData": alarm.inputs["treatMissingData"],
                "Period": alarm.inputs["period"],
                "EvaluationPeriods": alarm.inputs["evaluationPeriods"],
                "AlarmActions": [],
                **shared,
            }
            for alarm in recording.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
        }
        self.composite_alarms = {
            alarm.inputs["alarmName"]: {
                "AlarmName": alarm.inputs["alarmName"],
                "AlarmDescription": alarm.inputs["alarmDescription"],
                "AlarmRule": alarm.inputs["alarmRule"],
                "AlarmActions": alarm.inputs["alarmActions"],
                **shared,
            }
            for alarm in recording.of_type("aws:cloudwatch/compositeAlarm:CompositeAlarm")
        }


def _describe_schedule_target(target: Values) -> Values:
    parameters = target.get("eventbridgeParameters")
    return {
        "Arn": target["arn"],
        "RoleArn": target["roleArn"],
        "DeadLetterConfig": {"Arn": target["deadLetterConfig"]["arn"]},
        **_present(
            Input=target.get("input"),
            EventBridgeParameters=parameters
            and {"DetailType": parameters["detailType"], "Source": parameters["source"]},
        ),
    }


def _present(**values: Any) -> Values:
    return {name: value for name, value in values.items() if value}
