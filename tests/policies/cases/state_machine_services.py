"""Cases of the rules about state machine roles, for less common services."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    Case,
    json_of,
    policy,
    program,
    role,
    role_policy,
    state_machine,
    table,
)

LIMITED = "state-machine-role-is-limited-to-its-calls"

own, orders = role("flow"), table("orders")
BUCKET = "arn:aws:s3:::results"
LABELS = "arn:aws:states:::aws-sdk:rekognition:detectLabels"


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def flow(resource: str, **more: object):
    """A state machine with this call."""
    state = {"Type": "Task", "Resource": resource, "End": True, **more}
    return state_machine("flow", roleArn=own.arn, definition=json_of(StartAt="S", States={"S": state}))


def role_policy_of(*pairs: tuple[object, object]):
    """A policy of its role: actions and resources, by statement."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in pairs]
    return role_policy("steps", role=own.name, policy=policy(*statements))


CASES = [
    Case(
        LIMITED,
        "variant",
        "beside a service that goes on to others, what is neither its own nor theirs",
        program(
            own,
            orders,
            flow(LABELS),
            role_policy_of(("rekognition:DetectLabels", "*"), ("dynamodb:GetItem", orders.arn)),
        ),
        {"flow": "dynamodb:GetItem"},
        silent_at_preview=True,
    ),
    Case(
        LIMITED,
        "variant",
        "everything, beside a service that goes on to others",
        program(own, flow(LABELS), role_policy_of(("*", "*"))),
        {"flow": "allows *"},
    ),
    Case(
        LIMITED,
        "variant",
        "machines, where a map only reads from a bucket",
        program(
            own,
            flow(
                "",
                Type="Map",
                ItemProcessor={"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {"P": {"Type": "Pass"}}},
                ItemReader={"Resource": "arn:aws:states:::s3:getObject"},
            ),
            role_policy_of(("s3:GetObject", f"{BUCKET}/*"), ("ec2:TerminateInstances", arn("ec2", "instance/i-1"))),
        ),
        {"flow": "ec2:TerminateInstances"},
    ),
    *(
        Case(LIMITED, "near miss", what, program(own, orders, flow(resource), role_policy_of(*pairs)))
        for what, resource, pairs in (
            (
                "Athena, with the tables and the bucket of its queries",
                "arn:aws:states:::athena:startQueryExecution.sync",
                [
                    (["athena:StartQueryExecution", "athena:GetQueryExecution"], arn("athena", "workgroup/w")),
                    ("glue:GetTable", [arn("glue", "catalog"), arn("glue", "database/d"), arn("glue", "table/d/t")]),
                    (["s3:GetObject", "s3:PutObject"], f"{BUCKET}/*"),
                    ("lakeformation:GetDataAccess", "*"),
                ],
            ),
            (
                "an API, by the action of another name",
                "arn:aws:states:::apigateway:invoke",
                [("execute-api:Invoke", arn("execute-api", "a1b2c3/prod/GET/orders"))],
            ),
            (
                "a picture in a bucket",
                LABELS,
                [("rekognition:DetectLabels", "*"), ("s3:GetObject", f"{BUCKET}/*")],
            ),
            (
                "an export of a table",
                "arn:aws:states:::aws-sdk:dynamodb:exportTableToPointInTime",
                [("dynamodb:ExportTableToPointInTime", orders.arn), ("s3:PutObject", f"{BUCKET}/*")],
            ),
            (
                "a service whose name has a dash in IAM",
                "arn:aws:states:::aws-sdk:redshiftdata:executeStatement",
                [("redshift-data:ExecuteStatement", arn("redshift-data", "workgroup:w"))],
            ),
            (
                "a service that nobody here has heard of",
                "arn:aws:states:::aws-sdk:somethingnew:doIt",
                [("something:DoIt", "*")],
            ),
        )
    ),
]
