"""Cases of the rule about the role of a schedule and its target."""

from tests.policies.cases.schedules import (
    CALLS,
    LIVE,
    LIVE_JOB,
    REACHES,
    allowed,
    assumed,
    both,
    calling,
    dead,
    group,
    job,
    role_policy_of,
    schedule_with,
    starter,
)
from tests.policies.programs import ACCOUNT, UNKNOWN, Case, Secret, policy, program, role, role_policy, schedule

CASES = [
    # --- schedule-role-may-call-its-target
    Case(
        CALLS,
        "typical",
        "a role that may only send to the queue",
        program(group, dead, job, starter, role_policy_of(allowed("sqs:SendMessage", dead.arn)), schedule_with()),
        {"nightly": ("job", "lambda:InvokeFunction")},
        silent_at_preview=True,
    ),
    Case(
        CALLS,
        "variant",
        "misspelt",
        program(group, dead, job, starter, role_policy_of(allowed(["lambda:Invoke", "sqs:*"], "*")), schedule_with()),
        {"nightly": "lacks lambda:InvokeFunction"},
        silent_at_preview=True,
    ),
    *(
        Case(
            CALLS,
            "variant",
            f"{what} may assume it",
            program(dead, job, own := role("starter", assumeRolePolicy=policy(*trust)), both, schedule_with(own)),
            {"nightly": "does not allow scheduler.amazonaws.com to assume it"},
        )
        for what, trust in {
            "only EventBridge": (assumed("events.amazonaws.com"),),
            "only functions, and a user": (
                assumed("lambda.amazonaws.com"),
                {**assumed(""), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ci"}},
            ),
        }.items()
    ),
    Case(
        CALLS,
        "variant",
        "an alias is called, and the role may call the function",
        program(
            dead,
            LIVE_JOB,
            starter,
            role_policy_of(allowed("lambda:InvokeFunction", LIVE_JOB.arn)),
            calling(f"{LIVE}:live"),
        ),
        {"nightly": "lacks lambda:InvokeFunction"},
        silent_at_preview=True,
    ),
    *(
        Case(
            CALLS,
            "near miss",
            f"an alias is called, and the role may call {what}",
            program(
                dead,
                LIVE_JOB,
                starter,
                role_policy_of(allowed("lambda:InvokeFunction", named)),
                calling(f"{LIVE}:live"),
            ),
        )
        for what, named in {"it": f"{LIVE}:live", "all of them": [LIVE, f"{LIVE}:*"]}.items()
    ),
    Case(
        CALLS,
        "near miss",
        "Scheduler may assume it, among others",
        program(
            dead,
            job,
            role("starter", assumeRolePolicy=policy(assumed(["lambda.amazonaws.com", "scheduler.amazonaws.com"]))),
            both,
            schedule_with(),
        ),
    ),
    Case(
        CALLS,
        "compliant",
        "a role that may invoke the target",
        program(group, dead, job, starter, both, schedule_with()),
    ),
    Case(
        CALLS, "unknown", "the target", program(starter, schedule("n", target={"arn": UNKNOWN, "roleArn": starter.arn}))
    ),
    Case(
        CALLS,
        "unknown",
        "the policy",
        program(
            group, dead, job, starter, role_policy("starts", role=starter.name, policy=Secret(UNKNOWN)), schedule_with()
        ),
    ),
    Case(
        CALLS,
        "variant",
        "an API by its name",
        program(
            starter,
            schedule("n", target={"arn": "arn:aws:scheduler:::aws-sdk:ecs:updateService", "roleArn": starter.arn}),
        ),
        {"n": "lacks ecs:UpdateService"},
    ),
    *(
        Case(
            CALLS,
            "near miss",
            f"{api} by its name, with {action}",
            program(
                starter,
                role_policy_of(allowed(action, "arn:aws:dynamodb:eu-west-1:1:table/notes")),
                schedule("n", target={"arn": f"arn:aws:scheduler:::aws-sdk:{api}", "roleArn": starter.arn}),
            ),
        )
        for api, action in (
            ("dynamodb:putItem", "dynamodb:PutItem"),
            ("lambda:invoke", "lambda:InvokeFunction"),
            ("sfn:startExecution", "states:StartExecution"),
            ("s3:deleteObjects", "s3:DeleteObject"),
            ("unheardof:putItem", "dynamodb:PutItem"),
        )
    ),
    Case(
        CALLS,
        "variant",
        "a function elsewhere, a role elsewhere",
        program(
            job,
            starter,
            schedule("a", target={"arn": "arn:aws:lambda:eu-west-1:1:function:f", "roleArn": starter.arn}),
            schedule("b", target={"arn": job.arn, "roleArn": "arn:aws:iam::1:role/r"}),
        ),
        {"a": "lacks lambda:InvokeFunction on arn:aws:lambda:eu-west-1:1:function:f"},
    ),
    Case(
        CALLS,
        "near miss",
        "a role that was looked up",
        program(dead, job, schedule_with(), external=[role("starter", assumeRolePolicy=policy())]),
    ),
    Case(
        REACHES,
        "near miss",
        "a role that was looked up",
        program(dead, job, schedule_with(), external=[role("starter", assumeRolePolicy=policy())]),
    ),
]
