"""Cases of the rules about state machines: logs, and a role that allows exactly the calls."""

from collections.abc import Mapping
from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    alias,
    concat,
    function,
    json_of,
    make,
    permission,
    policy,
    program,
    queue,
    role,
    role_policy,
    state_machine,
    table,
    topic,
)

attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
log_group = make("aws:cloudwatch/logGroup:LogGroup")

LOGS, LIMITED = "state-machine-logs-errors", "state-machine-role-is-limited-to-its-calls"
ABLE = "state-machine-role-may-make-its-calls"

own = role("flow")
claim, notify, other = function("claim"), function("notify"), function("other")
critical, jobs, incidents = topic("critical"), queue("jobs"), table("incidents")
logs = log_group("flow")
DELIVERY = ["logs:CreateLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeLogGroups"]


def task(resource: object, **parameters: object):
    """A state that calls something."""
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}


def invoke_state(target: object):
    """A state that calls a function."""
    return task("arn:aws:states:::lambda:invoke", FunctionName=target)


def flow(*states: object, of: Made = own, name: str = "flow"):
    """A state machine of these states."""
    return state_machine(
        name,
        roleArn=of.arn,
        definition=json_of(StartAt="S0", States={f"S{i}": state for i, state in enumerate(states)}),
    )


def allowed(action: object, resource: object):
    """One statement of a role."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def role_policy_of(*statements: Mapping[str, Any]):
    """A policy of the state machine's role."""
    return role_policy("steps", role=own.name, policy=policy(*statements))


def logging(**settings: object):
    """A state machine with this log."""
    return state_machine("flow", loggingConfiguration=settings)


calls_claim = allowed("lambda:InvokeFunction", claim.arn)
everything = (own, claim, notify, other, critical, jobs, incidents)

CASES = [
    # --- state-machine-logs-errors
    Case(
        LOGS,
        "typical",
        "no logging",
        program(state_machine("flow")),
        {"flow": ("level is absent", "Set level to ERROR")},
    ),
    Case(LOGS, "typical", "switched off", program(logging(level="OFF")), {"flow": "level is OFF"}),
    Case(
        LOGS,
        "variant",
        "only what is fatal",
        program(logs, logging(level="FATAL", logDestination=concat(logs.arn, ":*"))),
        {"flow": "is FATAL"},
    ),
    Case(LOGS, "variant", "to nowhere", program(logging(level="ALL")), {"flow": "logDestination is absent"}),
    Case(
        LOGS,
        "variant",
        "to a group without :*",
        program(logging(level="ERROR", logDestination=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:flow")),
        {"flow": "Append :*"},
    ),
    Case(
        LOGS,
        "compliant",
        "errors are logged",
        program(logs, logging(level="ERROR", logDestination=concat(logs.arn, ":*"))),
    ),
    Case(LOGS, "unknown", "the level", program(logging(level=UNKNOWN, logDestination="x:*"))),
    Case(LOGS, "unknown", "the destination", program(logging(level="ERROR", logDestination=UNKNOWN))),
    Case(
        LOGS, "near miss", "all", program(logging(level="ALL", logDestination=f"arn:aws:logs:{REGION}:1:log-group:x:*"))
    ),
    # --- state-machine-role-is-limited-to-its-calls
    Case(
        LIMITED,
        "typical",
        "an action that no step calls",
        program(
            *everything,
            flow(invoke_state(claim.arn)),
            role_policy_of(calls_claim, allowed("sqs:SendMessage", jobs.arn)),
        ),
        {"flow": ("statement 2 of steps allows sqs:SendMessage", "Remove ")},
        silent_at_preview=True,
    ),
    Case(
        LIMITED,
        "typical",
        "a function that no step calls",
        program(
            *everything,
            flow(invoke_state(claim.arn)),
            role_policy_of(allowed("lambda:InvokeFunction", [claim.arn, other.arn])),
        ),
        {"flow": "function:other"},
        silent_at_preview=True,
    ),
    *(
        Case(
            LIMITED,
            "variant",
            what,
            program(*everything, flow(invoke_state(claim.arn)), *given),
            {"flow": words},
            silent_at_preview=True,
        )
        for what, given, words in [
            ("any function", [role_policy_of(allowed("lambda:InvokeFunction", "*"))], "on *"),
            (
                "any function of the account",
                [role_policy_of(allowed("lambda:InvokeFunction", f"arn:aws:lambda:*:{ACCOUNT}:function:*"))],
                "function:*",
            ),
            ("all of Lambda", [role_policy_of(allowed("lambda:*", claim.arn))], "Set Action to lambda:InvokeFunction"),
            ("everything", [role_policy_of(allowed("*", "*"))], "allows *"),
            (
                "all but something",
                [role_policy_of({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})],
                "NotAction",
            ),
            (
                "a policy of AWS's",
                [attachment("all", role=own.name, policyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaRole")],
                "on *",
            ),
            (
                "all of the logs",
                [role_policy_of(calls_claim, allowed("logs:*", "*"))],
                "logs:*",
            ),
        ]
    ),
    Case(
        LIMITED,
        "variant",
        "reads a table that it writes",
        program(
            *everything,
            flow(task("arn:aws:states:::dynamodb:putItem", TableName=incidents.name)),
            role_policy_of(allowed(["dynamodb:PutItem", "dynamodb:Scan"], incidents.arn)),
        ),
        {"flow": "dynamodb:Scan"},
        silent_at_preview=True,
    ),
    Case(
        LIMITED,
        "compliant",
        "the calls of the definition, logs and traces",
        program(
            *everything,
            flow(
                invoke_state(claim.arn),
                task("arn:aws:states:::sns:publish", TopicArn=critical.arn),
            ),
            role_policy_of(
                calls_claim,
                allowed("sns:Publish", critical.arn),
                allowed(DELIVERY, "*"),
                allowed(["xray:PutTraceSegments", "xray:GetSamplingRules"], "*"),
                allowed(["kms:Decrypt", "kms:GenerateDataKey*"], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"),
            ),
        ),
    ),
    Case(
        LIMITED,
        "unknown",
        "the definition",
        program(
            own, claim, state_machine("flow", roleArn=own.arn, definition=UNKNOWN), role_policy_of(allowed("s3:*", "*"))
        ),
    ),
    Case(
        LIMITED,
        "unknown",
        "the policy",
        program(own, claim, flow(invoke_state(claim.arn)), role_policy("steps", role=own.name, policy=UNKNOWN)),
    ),
    Case(
        LIMITED,
        "unknown",
        "another state machine of the same role",
        program(
            *everything,
            flow(invoke_state(claim.arn)),
            state_machine("second", roleArn=own.arn, definition=UNKNOWN),
            role_policy_of(allowed("sqs:SendMessage", jobs.arn)),
        ),
    ),
    *(
        Case(LIMITED, "near miss", what, program(*everything, *given))
        for what, given in {
            "a function by its version": (
                flow(invoke_state(concat(claim.arn, ":$LATEST"))),
                role_policy_of(allowed("lambda:InvokeFunction", [claim.arn, concat(claim.arn, ":*")])),
            ),
            "the function itself as the resource": (flow(task(claim.arn)), role_policy_of(calls_claim)),
            "functions by their beginning": (
                flow(invoke_state(claim.arn)),
                role_policy_of(allowed("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cl*")),
            ),
            "a function that is named as it runs": (
                flow(task("arn:aws:states:::lambda:invoke", **{"FunctionName.$": "$.function"})),
                role_policy_of(allowed("lambda:InvokeFunction", [claim.arn, notify.arn])),
            ),
            "in JSONata": (
                flow(
                    {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::lambda:invoke",
                        "Arguments": {"FunctionName": "{% $f %}"},
                    }
                ),
                role_policy_of(allowed("lambda:InvokeFunction", notify.arn)),
            ),
            "in branches and in a map": (
                flow(
                    {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": invoke_state(claim.arn)}}]},
                    {"Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {"B": invoke_state(notify.arn)}}},
                    {
                        "Type": "Map",
                        "Iterator": {
                            "StartAt": "C",
                            "States": {"C": task("arn:aws:states:::sqs:sendMessage", QueueUrl=jobs.url)},
                        },
                    },
                ),
                role_policy_of(
                    allowed("lambda:InvokeFunction", [claim.arn, notify.arn]), allowed("sqs:SendMessage", jobs.arn)
                ),
            ),
            "a map of many executions": (
                flow(
                    {
                        "Type": "Map",
                        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject"},
                        "ItemProcessor": {
                            "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                            "States": {"B": invoke_state(claim.arn)},
                        },
                    }
                ),
                role_policy_of(
                    calls_claim,
                    allowed("states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:flow"),
                    allowed(["states:DescribeExecution", "states:StopExecution"], "*"),
                    allowed(["s3:GetObject", "s3:ListBucket"], "arn:aws:s3:::lists/*"),
                ),
            ),
            "waits for another": (
                flow(
                    task(
                        "arn:aws:states:::states:startExecution.sync:2",
                        StateMachineArn="arn:aws:states:eu-west-1:1:stateMachine:x",
                    )
                ),
                role_policy_of(
                    allowed("states:StartExecution", "arn:aws:states:eu-west-1:1:stateMachine:x"),
                    allowed(["states:DescribeExecution", "states:StopExecution"], "*"),
                    allowed(["events:PutTargets", "events:PutRule", "events:DescribeRule"], "*"),
                ),
            ),
            "by the SDK, under another name": (
                flow(
                    task(
                        "arn:aws:states:::aws-sdk:sfn:startExecution",
                        StateMachineArn="arn:aws:states:eu-west-1:1:stateMachine:x",
                    )
                ),
                role_policy_of(allowed("states:StartExecution", "arn:aws:states:eu-west-1:1:stateMachine:x")),
            ),
            "an API whose action is called otherwise": (
                flow(task("arn:aws:states:::aws-sdk:s3:listObjectsV2", Bucket="lists")),
                role_policy_of(allowed("s3:ListBucket", "arn:aws:s3:::lists")),
            ),
            "a table and its index": (
                flow(task("arn:aws:states:::aws-sdk:dynamodb:query", TableName=incidents.name)),
                role_policy_of(allowed("dynamodb:Query", [incidents.arn, concat(incidents.arn, "/index/*")])),
            ),
            "with the role of another account": (
                flow(invoke_state(claim.arn) | {"Credentials": {"RoleArn": "arn:aws:iam::444455556666:role/theirs"}}),
                role_policy_of(allowed("sts:AssumeRole", "arn:aws:iam::444455556666:role/theirs")),
            ),
            "two that share a role": (
                flow(invoke_state(claim.arn)),
                flow(invoke_state(notify.arn), name="second"),
                role_policy_of(allowed("lambda:InvokeFunction", [claim.arn, notify.arn])),
            ),
            "denied besides": (
                flow(invoke_state(claim.arn)),
                role_policy_of(calls_claim, {**allowed("s3:*", "*"), "Effect": "Deny"}),
            ),
            "a policy that nobody here can read": (
                flow(invoke_state(claim.arn)),
                attachment("x", role=own.name, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/x"),
            ),
        }.items()
    ),
    # --- state-machine-role-may-make-its-calls
    Case(
        ABLE,
        "typical",
        "a missing action",
        program(*everything, flow(invoke_state(claim.arn), invoke_state(notify.arn)), role_policy_of(calls_claim)),
        {"flow": "lacks lambda:InvokeFunction on notify"},
        silent_at_preview=True,
    ),
    Case(
        ABLE,
        "variant",
        "no policy at all",
        program(*everything, flow(task("arn:aws:states:::sns:publish", TopicArn=critical.arn))),
        {"flow": "sns:Publish on critical"},
        silent_at_preview=True,
    ),
    Case(
        ABLE,
        "variant",
        "only versions of the function",
        program(
            *everything,
            flow(invoke_state(claim.arn)),
            role_policy_of(allowed("lambda:InvokeFunction", concat(claim.arn, ":*"))),
        ),
        {"flow": "on claim"},
        silent_at_preview=True,
    ),
    Case(
        ABLE,
        "variant",
        "reads where it writes, by name and by URL",
        program(
            *everything,
            flow(
                task("arn:aws:states:::dynamodb:putItem", TableName=incidents.name),
                task("arn:aws:states:::sqs:sendMessage", QueueUrl=jobs.url),
            ),
            role_policy_of(allowed("dynamodb:GetItem", incidents.arn), allowed("sqs:SendMessage", "*")),
        ),
        {"flow": "dynamodb:PutItem on incidents"},
        silent_at_preview=True,
    ),
    Case(
        ABLE,
        "compliant",
        "all actions of the definition",
        program(*everything, flow(invoke_state(claim.arn)), role_policy_of(calls_claim)),
    ),
    Case(
        ABLE,
        "unknown",
        "the policy",
        program(own, claim, flow(invoke_state(claim.arn)), role_policy("steps", role=own.name, policy=UNKNOWN)),
    ),
    Case(ABLE, "unknown", "the definition", program(own, state_machine("flow", roleArn=own.arn, definition=UNKNOWN))),
    *(
        Case(ABLE, "near miss", what, program(*everything, *given))
        for what, given in {
            "an activity, which needs nothing": (flow(task(f"arn:aws:states:{REGION}:{ACCOUNT}:activity:manual")),),
            "with the role of another account": (
                flow(invoke_state(claim.arn) | {"Credentials": {"RoleArn": "arn:aws:iam::444455556666:role/theirs"}}),
                role_policy_of(allowed("sts:AssumeRole", "arn:aws:iam::444455556666:role/theirs")),
            ),
            "by an alias": (
                alias("live", functionName=claim.name, functionVersion="1"),
                flow(invoke_state(alias("live", functionName=claim.name).arn)),
                role_policy_of(allowed("lambda:InvokeFunction", "*")),
            ),
            "a table elsewhere, by its name": (flow(task("arn:aws:states:::dynamodb:putItem", TableName="theirs")),),
            "the function lets the role in": (
                flow(invoke_state(claim.arn)),
                permission("p", function=claim.name, principal=own.arn),
            ),
            "no tasks": (flow({"Type": "Wait", "Seconds": 1, "End": True}),),
        }.items()
    ),
]
