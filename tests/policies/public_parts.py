"""Parts of the public programs: a queue with a dead-letter queue, a function with a role, a state machine."""

from collections.abc import Mapping
from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    Made,
    Output,
    allow,
    concat,
    function,
    json_of,
    key,
    make,
    make_alarm_on,
    mapping,
    policy,
    queue,
    queue_policy,
    role,
    role_policy,
    state_machine,
    table,
)

PARTNER = "444455556666"
WEEK, TWO_WEEKS = 604_800, 1_209_600

bucket = make("aws:s3/bucket:Bucket")
bucket_policy = make("aws:s3/bucketPolicy:BucketPolicy")
event_bus = make("aws:cloudwatch/eventBus:EventBus")
event_bus_policy = make("aws:cloudwatch/eventBusPolicy:EventBusPolicy")
function_url = make("aws:lambda/functionUrl:FunctionUrl")
log_group = make("aws:cloudwatch/logGroup:LogGroup")
notification = make("aws:s3/bucketNotification:BucketNotification")
pipe = make("aws:pipes/pipe:Pipe")
rotation = make("aws:secretsmanager/secretRotation:SecretRotation")
schedule_group = make("aws:scheduler/scheduleGroup:ScheduleGroup")
secret_policy = make("aws:secretsmanager/secretPolicy:SecretPolicy")
stream = make("aws:kinesis/stream:Stream")


Statement = Mapping[str, Any]


def grant(actions: Any, *resources: Any) -> Statement:
    """One statement of a role policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources[0] if len(resources) == 1 else list(resources)}


def trust_service(service: str, condition: Mapping[str, Any] | None = None) -> Any:
    """Allow a service to assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy({**statement, "Condition": condition} if condition else statement)


HERE = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
"""Restricts a service to our account."""


def require_source(source: Output) -> dict[str, Any]:
    """Restrict a statement to one source."""
    return {"ArnEquals": {"aws:SourceArn": source}}


def make_dead_letters(title: str) -> tuple[Made, ...]:
    """A dead-letter queue and its alarm."""
    letters = queue(title, name=title, messageRetentionSeconds=TWO_WEEKS)
    return letters, make_alarm_on(letters)


def make_work_queue(title: str, letters: Made) -> Made:
    """A queue with this dead-letter queue."""
    redrive = json_of(deadLetterTargetArn=letters.arn, maxReceiveCount=5)
    return queue(title, name=title, messageRetentionSeconds=WEEK, visibilityTimeoutSeconds=180, redrivePolicy=redrive)


def make_worker(title: str, *statements: Statement, **props: Any) -> tuple[Made, ...]:
    """A function with a role and a log group of its own; the function comes first."""
    logs = log_group(title, name=f"/shop/{title}", retentionInDays=30)
    runner = role(title, name=title, assumeRolePolicy=trust_service("lambda.amazonaws.com"))
    writes = grant(
        ["logs:CreateLogStream", "logs:PutLogEvents"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/shop/{title}:*"
    )
    rights = role_policy(title, role=runner.name, policy=policy(writes, *statements))
    logging = {"logFormat": "JSON", "logGroup": logs.name}
    code = function(
        title, name=title, runtime="python3.13", timeout=30, role=runner.arn, loggingConfig=logging, **props
    )
    return code, runner, rights, logs


def make_mapping(source: Made, code: Made) -> Made:
    """Allow a function to read a queue."""
    return mapping(
        f"{code.title}-reads",
        eventSourceArn=source.arn,
        functionName=code.name,
        functionResponseTypes=["ReportBatchItemFailures"],
    )


def grant_receiving(source: Made) -> Statement:
    """The permissions of a queue's reader."""
    return grant(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], source.arn)


def make_table(title: str) -> Made:
    """A table that can be restored and is protected."""
    return table(
        title,
        name=title,
        hashKey="id",
        attributes=[{"name": "id", "type": "S"}],
        billingMode="PAY_PER_REQUEST",
        pointInTimeRecovery={"enabled": True},
        deletionProtectionEnabled=True,
    )


def make_key(title: str, *statements: Statement) -> Made:
    """A key for its account and the principals in the statements."""
    owner = allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*")
    return key(title, enableKeyRotation=True, policy=policy(owner, *statements))


def allow_senders(title: str, target: Made, *services: tuple[str, Output]) -> Made:
    """Allow services to send to a queue, each for one source."""
    statements = (
        allow({"Service": service}, "sqs:SendMessage", target.arn, require_source(source))
        for service, source in services
    )
    return queue_policy(title, queueUrl=target.url, policy=policy(*statements))


_DELIVERY = [
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]


def make_flow(title: str, states: Mapping[str, Any], *statements: Statement) -> tuple[Made, ...]:
    """A state machine with its role and its log group; the state machine comes first."""
    runner = role(f"{title}-flow", name=f"{title}-flow", assumeRolePolicy=trust_service("states.amazonaws.com", HERE))
    logs = log_group(f"{title}-flow", name=f"/shop/{title}-flow", retentionInDays=30)
    machine = state_machine(
        title,
        name=title,
        roleArn=runner.arn,
        definition=json_of(StartAt=next(iter(states)), States=states),
        loggingConfiguration={"level": "ERROR", "logDestination": concat(logs.arn, ":*")},
    )
    rights = policy(*statements, grant(_DELIVERY, "*"))
    return machine, runner, logs, role_policy(f"{title}-flow", role=runner.name, policy=rights)
