"""One Lambda function with everything it needs to be run without surprises. For inside use."""

from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch, iam, lambda_

from . import arns, iam_policies
from .iam_policies import Statement
from .lambda_code import lambda_code
from .placement import find_powertools_account
from .settings.policy_sizes import require_fitting_policy

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"
POWERTOOLS_LAYER = "AWSLambdaPowertoolsPythonV3-python313-arm64:27"
"""The layer that AWS publishes, of the same version in all partitions
(https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/)."""

LOG_GROUP_PREFIX = "/aws/lambda/"
"""Whoever knows a function looks for its log under this and its name, which is Lambda's own default
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html)."""
ASYNC_RETRIES = 2
ASYNC_MAXIMUM_AGE_SECONDS = 3600


class RuntimeArgs(TypedDict):
    """What all functions of a stack have in common."""

    log_retention_days: NotRequired[int]
    """Days that logs are kept; 90 unless given."""
    powertools_layer_arn: NotRequired[pulumi.Input[str]]
    """Layer with Powertools for Python (V3, Python 3.13, arm64); the one AWS publishes in the Region unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key of the topics and queues that functions use."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


class FunctionArgs(TypedDict):
    """What one function is."""

    handler: str
    """Entry point inside the archive, such as `handlers.trail.writer.handler`."""
    description: str
    """What it does, in one line."""
    statements: pulumi.Input[list[Statement]]
    """What its role may do, from `iam_policies`; writing its log comes by itself."""
    environment: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Environment values; those of Powertools come by themselves."""
    timeout_seconds: NotRequired[int]
    """How long it may run; 30 unless given."""
    memory_mb: NotRequired[int]
    """Its memory, and with it its share of a processor; 256 unless given."""
    reserved_concurrency: NotRequired[int]
    """How many of it may always run at once, and no more; 0, which shares what the account has, unless given."""
    on_failure_arn: NotRequired[pulumi.Input[str]]
    """Queue for invocations that fail for good: for every function that is called asynchronously."""
    retain_logs: NotRequired[bool]
    """Whether its log group stays in CloudWatch when the function goes from the stack; it does not unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What it has in common with the others."""


class WatchedFunctionArgs(TypedDict):
    """A function whose failures are watched."""

    function_name: pulumi.Input[str]
    """Its name."""
    service: str
    """What its metrics name as their service."""


class Function(pulumi.ComponentResource):
    """A function, its role, its log group, and where its failed invocations go."""

    arn: Output[str]
    """The function."""
    name: Output[str]
    """Its name, for invoking it by hand."""
    role_arn: Output[str]
    """Its role, shared with nothing else."""
    role_name: Output[str]
    """The same role, to give it what is known only once the function is there."""

    def __init__(self, name: str, args: FunctionArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("rotation-guard:index:Function", name, {**args}, opts)
        runtime = args.get("runtime") or {}
        tags = runtime.get("tags")
        child = ResourceOptions(parent=self)

        # A stack from before keeps the names that it has: another name would replace the log group, and its logs would
        # be deleted, as the engine asks the old state, and not the program, whether to retain what it replaces.
        named_once = ResourceOptions(parent=self, ignore_changes=["name"])

        role = iam.Role(
            name,
            description=f"{args['description']} (rotation-guard)",
            assume_role_policy=iam_policies.assumed_by("lambda.amazonaws.com"),
            tags=tags,
            opts=child,
        )
        # The function is called as its role, which is autonamed. Named after itself, the group could only be made after
        # it: then it might run before its log is there, and Lambda would make one that never expires.
        log_group = cloudwatch.LogGroup(
            name,
            name=Output.concat(LOG_GROUP_PREFIX, role.name),
            retention_in_days=runtime.get("log_retention_days", 90),
            tags=tags,
            opts=ResourceOptions.merge(named_once, ResourceOptions(retain_on_delete=args.get("retain_logs"))),
        )
        policy = iam.RolePolicy(
            name,
            role=role.name,
            policy=Output.all(
                args["statements"],
                log_group.arn,
                args.get("on_failure_arn"),
                runtime.get("kms_key_arn"),
            ).apply(lambda known: require_fitting_policy(iam_policies.write_function_policy(*known), name)),
            opts=child,
        )
        layer = runtime.get("powertools_layer_arn") or _published_layer(log_group.arn)
        function = lambda_.Function(
            name,
            name=role.name,
            description=args["description"],
            code=lambda_code(),
            handler=args["handler"],
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            role=role.arn,
            layers=[layer],
            timeout=args.get("timeout_seconds", 30),
            memory_size=args.get("memory_mb", 256),
            # For Lambda, 0 would mean that it never runs.
            reserved_concurrent_executions=args.get("reserved_concurrency") or None,
            environment={
                "variables": {
                    "POWERTOOLS_SERVICE_NAME": name,
                    "POWERTOOLS_METRICS_NAMESPACE": "rotation-guard",
                    **args.get("environment", {}),
                }
            },
            logging_config={"log_format": "JSON", "log_group": log_group.name},
            tags=tags,
            # Its role must be able to do its work before the first event comes in.
            opts=ResourceOptions.merge(named_once, ResourceOptions(depends_on=[policy])),
        )
        on_failure_arn = args.get("on_failure_arn")
        if on_failure_arn is not None:
            lambda_.FunctionEventInvokeConfig(
                name,
                function_name=function.name,
                maximum_retry_attempts=ASYNC_RETRIES,
                maximum_event_age_in_seconds=ASYNC_MAXIMUM_AGE_SECONDS,
                destination_config={"on_failure": {"destination": on_failure_arn}},
                opts=ResourceOptions(parent=self, depends_on=[policy]),
            )

        self.service = name
        self.arn = function.arn
        self.name = function.name
        self.role_arn = role.arn
        self.role_name = role.name
        self.register_outputs(
            {"arn": self.arn, "name": self.name, "role_arn": self.role_arn, "role_name": self.role_name}
        )


def describe_for_alarms(function: Function) -> WatchedFunctionArgs:
    """What Observability wants to know of a function."""
    return {"function_name": function.name, "service": function.service}


def _published_layer(arn: Output[str]) -> Output[str]:
    """The layer as published in the Region that this ARN lies in; raises RunError where there is none."""
    partition, region = (arns.part(arn, part) for part in (arns.ArnPart.PARTITION, arns.ArnPart.REGION))
    return Output.all(partition, region).apply(lambda known: _name_layer(*known))


def _name_layer(partition: str, region: str) -> str:
    account = find_powertools_account(region)
    if account is None:
        raise pulumi.RunError(
            f"powertools_layer_arn must be given in {region}, where nobody publishes the layer with Powertools, got "
            "nothing"
        )
    return f"arn:{partition}:lambda:{region}:{account}:layer:{POWERTOOLS_LAYER}"


StatementsOf = Callable[..., list[Statement]]


def statements(of: StatementsOf, *parts: Any) -> Output[list[Statement]]:
    """The statements that a function of policies gives for these ARNs, or lists of them, once they are known."""
    return Output.all(*parts).apply(lambda known: of(*known))
