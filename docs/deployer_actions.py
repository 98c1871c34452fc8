"""What the Pulumi AWS provider calls for each resource type of the stack: the source of the deployer's policies.

Inside, it is Terraform's provider, whose create, read, update and delete of each type are in
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service; the actions that these calls need are in
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
`tests/validators` compares the table with what CloudFormation's own handlers for the same types need.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NAME = "rotation-guard"
"""The component's name, which the names of its resources begin with."""
BUCKET = (f"arn:aws:s3:::cloudtrail-{NAME}-*", f"arn:aws:s3:::reports-{NAME}-*")
LOG_GROUPS = (
    f"arn:aws:logs:*:*:log-group:/aws/lambda/{NAME}-*",
    f"arn:aws:logs:*:*:log-group:/aws/vendedlogs/states/{NAME}-*",
)
ROLE = f"arn:aws:iam::*:role/{NAME}-*"
FUNCTION = f"arn:aws:lambda:*:*:function:{NAME}-*"
TRAIL = f"arn:aws:cloudtrail:*:*:trail/cloudtrail-{NAME}-*"
ANY = ("*",)
"""For actions without resource-level permissions."""


@dataclass(frozen=True)
class Grant:
    """Actions on resources, as one statement of a policy."""

    resources: tuple[str, ...]
    """ARN patterns; `ANY` where AWS supports none."""
    actions: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str]] | None = None


def _grant(service: str, resource: str | tuple[str, ...], actions: str, **condition: Mapping[str, str]) -> Grant:
    resources = (resource,) if isinstance(resource, str) else resource
    return Grant(resources, tuple(f"{service}:{action}" for action in actions.split()), condition or None)


_ALARM = _grant(
    "cloudwatch", f"arn:aws:cloudwatch:*:*:alarm:{NAME}-*", "DeleteAlarms ListTagsForResource TagResource UntagResource"
)
_ALARM_READ = _grant("cloudwatch", "arn:aws:cloudwatch:*:*:alarm:*", "DescribeAlarms")
_RULE = (f"arn:aws:events:*:*:rule/{NAME}-*", f"arn:aws:events:*:*:rule/*/{NAME}-*")
"""On the default bus, and on one that exists already."""
_BUS = f"arn:aws:events:*:*:event-bus/{NAME}-*"
_CONNECTION = f"arn:aws:events:*:*:connection/{NAME}-*"
_QUEUE = f"arn:aws:sqs:*:*:{NAME}-*"
_TOPIC = f"arn:aws:sns:*:*:{NAME}-*"
_SECRET = f"arn:aws:secretsmanager:*:*:secret:{NAME}-*"
_PASSED_TO = "iam:PassedToService"


def _pass_role(service: str) -> Grant:
    """(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html)"""
    return _grant("iam", ROLE, "PassRole", StringEquals={_PASSED_TO: service})


GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "aws:cloudtrail/trail:Trail": (
        _grant(
            "cloudtrail",
            TRAIL,
            "AddTags CreateTrail DeleteTrail GetEventSelectors GetTrail GetTrailStatus ListTags PutEventSelectors "
            "RemoveTags StartLogging StopLogging UpdateTrail",
        ),
        _grant("cloudtrail", ANY, "DescribeTrails"),
    ),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": (
        _ALARM,
        _ALARM_READ,
        # A composite alarm is made from other alarms, which AWS checks as well.
        _grant("cloudwatch", f"arn:aws:cloudwatch:*:*:alarm:{NAME}-*", "PutCompositeAlarm"),
    ),
    "aws:cloudwatch/dashboard:Dashboard": (
        _grant("cloudwatch", f"arn:aws:cloudwatch::*:dashboard/{NAME}-*", "DeleteDashboards GetDashboard PutDashboard"),
    ),
    "aws:cloudwatch/eventBus:EventBus": (
        _grant(
            "events",
            _BUS,
            "CreateEventBus DeleteEventBus DescribeEventBus ListTagsForResource TagResource UntagResource "
            "UpdateEventBus",
        ),
    ),
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": (
        _grant("events", _BUS, "DescribeEventBus"),
        _grant("events", ANY, "PutPermission RemovePermission"),
    ),
    "aws:cloudwatch/eventApiDestination:EventApiDestination": (
        _grant(
            "events",
            f"arn:aws:events:*:*:api-destination/{NAME}-*",
            "CreateApiDestination DeleteApiDestination DescribeApiDestination UpdateApiDestination",
        ),
    ),
    "aws:cloudwatch/eventConnection:EventConnection": (
        _grant("events", _CONNECTION, "CreateConnection DeleteConnection DescribeConnection UpdateConnection"),
        # EventBridge keeps what is secret in a secret of its own, and makes it as whoever creates the connection
        # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html).
        _grant(
            "secretsmanager",
            f"arn:aws:secretsmanager:*:*:secret:events!connection/{NAME}-*",
            "CreateSecret DeleteSecret DescribeSecret GetSecretValue PutSecretValue UpdateSecret",
        ),
        _grant(
            "iam",
            "arn:aws:iam::*:role/aws-service-role/apidestinations.events.amazonaws.com/"
            "AWSServiceRoleForAmazonEventBridgeApiDestinations",
            "CreateServiceLinkedRole",
        ),
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        _grant("events", _RULE, "DeleteRule DescribeRule ListTagsForResource PutRule TagResource UntagResource"),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": (
        _grant("events", _RULE, "ListTargetsByRule PutTargets RemoveTargets"),
        # The rules of a member forward with a role, and so do those of integrations.
        _pass_role("events.amazonaws.com"),
    ),
    "aws:cloudwatch/logGroup:LogGroup": (
        _grant(
            "logs",
            LOG_GROUPS,
            "CreateLogGroup DeleteLogGroup DeleteRetentionPolicy ListTagsForResource PutRetentionPolicy TagResource "
            "UntagResource",
        ),
        _grant("logs", ANY, "DescribeLogGroups"),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        _ALARM,
        _ALARM_READ,
        _grant("cloudwatch", f"arn:aws:cloudwatch:*:*:alarm:{NAME}-*", "PutMetricAlarm"),
    ),
    "aws:dynamodb/table:Table": (
        _grant(
            "dynamodb",
            f"arn:aws:dynamodb:*:*:table/{NAME}-*",
            "CreateTable DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive ListTagsOfResource "
            "TagResource UntagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive",
        ),
    ),
    "aws:iam/role:Role": (
        _grant(
            "iam",
            ROLE,
            "CreateRole DeleteRole GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies "
            "TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": (_grant("iam", ROLE, "DeleteRolePolicy GetRolePolicy PutRolePolicy"),),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        _grant("lambda", ANY, "CreateEventSourceMapping", ArnLike={"lambda:FunctionArn": FUNCTION}),
        _grant(
            "lambda",
            "arn:aws:lambda:*:*:event-source-mapping:*",
            "DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping",
            ArnLike={"lambda:FunctionArn": FUNCTION},
        ),
        _grant("lambda", "arn:aws:lambda:*:*:event-source-mapping:*", "ListTags TagResource UntagResource"),
    ),
    "aws:lambda/function:Function": (
        _grant(
            "lambda",
            FUNCTION,
            "CreateFunction DeleteFunction DeleteFunctionConcurrency GetFunction GetFunctionCodeSigningConfig "
            "GetFunctionConcurrency GetFunctionConfiguration ListTags ListVersionsByFunction PutFunctionConcurrency "
            "TagResource UntagResource UpdateFunctionCode UpdateFunctionConfiguration",
        ),
        _grant("lambda", "arn:aws:lambda:*:*:layer:AWSLambdaPowertoolsPythonV3-*:*", "GetLayerVersion"),
        _pass_role("lambda.amazonaws.com"),
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        _grant(
            "lambda",
            FUNCTION,
            "DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig "
            "UpdateFunctionEventInvokeConfig",
        ),
    ),
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": (
        _grant("lambda", FUNCTION, "GetFunctionRecursionConfig PutFunctionRecursionConfig"),
    ),
    "aws:lambda/permission:Permission": (_grant("lambda", FUNCTION, "AddPermission GetPolicy RemovePermission"),),
    "aws:s3/bucket:Bucket": (
        _grant(
            "s3",
            BUCKET,
            "CreateBucket DeleteBucket GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation "
            "GetBucketLogging GetBucketObjectLockConfiguration GetBucketPolicy GetBucketRequestPayment "
            "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
            "GetLifecycleConfiguration GetReplicationConfiguration ListBucket ListBucketVersions "
            "ListTagsForResource PutBucketTagging TagResource UntagResource",
        ),
        # With deletionProtection off the provider empties the bucket before it deletes it.
        _grant(
            "s3",
            tuple(f"{bucket}/*" for bucket in BUCKET),
            "BypassGovernanceRetention DeleteObject DeleteObjectVersion",
        ),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        _grant("s3", BUCKET, "GetLifecycleConfiguration PutLifecycleConfiguration"),
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        _grant("s3", BUCKET, "GetBucketObjectLockConfiguration PutBucketObjectLockConfiguration"),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (_grant("s3", BUCKET, "DeleteBucketPolicy GetBucketPolicy PutBucketPolicy"),),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        _grant("s3", BUCKET, "GetBucketPublicAccessBlock PutBucketPublicAccessBlock"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _grant("s3", BUCKET, "GetEncryptionConfiguration PutEncryptionConfiguration"),
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (_grant("s3", BUCKET, "GetBucketVersioning PutBucketVersioning"),),
    "aws:scheduler/schedule:Schedule": (
        _grant(
            "scheduler",
            f"arn:aws:scheduler:*:*:schedule/{NAME}-*/{NAME}-*",
            "CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
        ),
        _pass_role("scheduler.amazonaws.com"),
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": (
        _grant(
            "scheduler",
            f"arn:aws:scheduler:*:*:schedule-group/{NAME}-*",
            "CreateScheduleGroup DeleteScheduleGroup GetScheduleGroup ListTagsForResource TagResource UntagResource",
        ),
        # Deleting a group deletes its schedules (https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html).
        _grant("scheduler", f"arn:aws:scheduler:*:*:schedule/{NAME}-*/*", "DeleteSchedule"),
    ),
    "aws:secretsmanager/secret:Secret": (
        _grant(
            "secretsmanager",
            _SECRET,
            "CreateSecret DeleteSecret DescribeSecret GetResourcePolicy TagResource UntagResource UpdateSecret",
        ),
    ),
    "aws:secretsmanager/secretRotation:SecretRotation": (
        _grant("secretsmanager", _SECRET, "CancelRotateSecret DescribeSecret RotateSecret"),
        # RotateSecret needs it of its caller (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html).
        _grant("lambda", FUNCTION, "InvokeFunction"),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        _grant("secretsmanager", _SECRET, "DescribeSecret GetSecretValue PutSecretValue UpdateSecretVersionStage"),
    ),
    "aws:sfn/stateMachine:StateMachine": (
        _grant(
            "states",
            f"arn:aws:states:*:*:stateMachine:{NAME}-*",
            "CreateStateMachine DeleteStateMachine DescribeStateMachine ListStateMachineVersions ListTagsForResource "
            "TagResource UntagResource UpdateStateMachine",
        ),
        _grant("states", ANY, "ValidateStateMachineDefinition"),
        _pass_role("states.amazonaws.com"),
    ),
    "aws:sns/topic:Topic": (
        _grant(
            "sns",
            _TOPIC,
            "CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes TagResource "
            "UntagResource",
        ),
    ),
    "aws:sns/topicPolicy:TopicPolicy": (_grant("sns", _TOPIC, "GetTopicAttributes SetTopicAttributes"),),
    "aws:sns/topicSubscription:TopicSubscription": (
        _grant(
            "sns",
            _TOPIC,
            "GetSubscriptionAttributes ListSubscriptionsByTopic SetSubscriptionAttributes Subscribe Unsubscribe",
        ),
    ),
    "aws:sqs/queue:Queue": (
        _grant(
            "sqs",
            _QUEUE,
            "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl ListQueueTags SetQueueAttributes TagQueue "
            "UntagQueue",
        ),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": (_grant("sqs", _QUEUE, "GetQueueAttributes SetQueueAttributes"),),
    "aws:ssm/parameter:Parameter": (
        _grant(
            "ssm",
            f"arn:aws:ssm:*:*:parameter/{NAME}-*",
            "AddTagsToResource DeleteParameter GetParameter GetParameters ListTagsForResource PutParameter "
            "RemoveTagsFromResource",
        ),
        _grant("ssm", ANY, "DescribeParameters"),
    ),
}
"""Resource type -> what its create, read, update and delete need."""
