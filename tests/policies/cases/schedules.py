"""Cases of the rules about schedules: dead-letter queues and roles."""

from collections.abc import Mapping
from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    Secret,
    allow,
    concat,
    function,
    json_of,
    key,
    make,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    schedule,
)

group_of = make("aws:scheduler/scheduleGroup:ScheduleGroup")
attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
attached_to = make("aws:iam/policyAttachment:PolicyAttachment")
own_policy = make("aws:iam/policy:Policy")

SCHEDULER = {"Service": "scheduler.amazonaws.com"}
ELSEWHERE = f"arn:aws:sqs:{REGION}:444455556666:shared-dead"


def role_policy_of(*statements: Mapping[str, Any], of: Made | None = None, name: str = "starts"):
    """An inline policy of the schedule's role."""
    return role_policy(name, role=(of or starter).name, policy=policy(*statements))


def allowed(action: object, resource: object):
    """One statement of a role."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


group = group_of("nightly")
dead = queue("dead")
job = function("job")
starter = role("starter")


def schedule_with(of: Made | None = None, *, dead_letters: Made | str = dead):
    """A schedule of the job."""
    queue_arn = dead_letters.arn if isinstance(dead_letters, Made) else dead_letters
    target = {"arn": job.arn, "roleArn": (of or starter).arn, "deadLetterConfig": {"arn": queue_arn}}
    return schedule("nightly", groupName=group.name, scheduleExpression="rate(1 hour)", target=target)


def assumed(by: object) -> dict[str, Any]:
    """A statement of the role's trust."""
    return {"Effect": "Allow", "Principal": {"Service": by}, "Action": "sts:AssumeRole"}


def calling(arn: str) -> Made:
    """A schedule with this target ARN."""
    return schedule("nightly", target={"arn": arn, "roleArn": starter.arn})


LIVE_JOB, LIVE = function("live-job", name="live-job"), f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:live-job"
both = role_policy_of(allowed("lambda:InvokeFunction", job.arn), allowed("sqs:SendMessage", dead.arn))
encrypting = key("own", policy=policy(allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*")))
encrypted = queue("dead", kmsMasterKeyId=encrypting.arn)
sends = own_policy("sends", policy=policy(allowed("sqs:SendMessage", dead.arn)))

LETTERS, REACHES = "schedule-has-dead-letters", "schedule-dead-letters-are-reachable"
CALLS = "schedule-role-may-call-its-target"

CASES = [
    # --- schedule-has-dead-letters
    Case(
        LETTERS,
        "typical",
        "no dead-letter queue",
        program(schedule("nightly", target={"arn": job.arn})),
        {"nightly": "is absent"},
    ),
    Case(
        LETTERS,
        "variant",
        "an empty block, in the list of an older provider",
        program(schedule("nightly", target=[{"arn": job.arn, "deadLetterConfig": {}}])),
        {"nightly": "target.deadLetterConfig.arn"},
    ),
    Case(
        LETTERS,
        "variant",
        "no ARN",
        program(schedule("nightly", target={"deadLetterConfig": {"arn": ""}})),
        {"nightly": "Set"},
    ),
    Case(LETTERS, "compliant", "a dead-letter queue", program(group, dead, job, starter, schedule_with())),
    Case(LETTERS, "unknown", "the target", program(schedule("nightly", target=UNKNOWN))),
    Case(
        LETTERS, "unknown", "a secret one", program(schedule("nightly", target={"deadLetterConfig": Secret(UNKNOWN)}))
    ),
    Case(LETTERS, "near miss", "a queue elsewhere", program(schedule_with(dead_letters=ELSEWHERE))),
    # --- schedule-dead-letters-are-reachable
    Case(
        REACHES,
        "typical",
        "a role that may only invoke the target",
        program(group, dead, job, starter, role_policy_of(allowed("lambda:InvokeFunction", job.arn)), schedule_with()),
        {"nightly": ("dead", "starter lacks sqs:SendMessage on dead")},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "a queue policy for Scheduler, as rules have one",
        program(
            group,
            dead,
            job,
            starter,
            queue_policy("dead", queueUrl=dead.url, policy=policy(allow(SCHEDULER, "sqs:SendMessage", dead.arn))),
            schedule_with(),
        ),
        {"nightly": "a queue policy cannot replace this"},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "the role has no policy at all",
        program(group, dead, job, starter, schedule_with()),
        {"nightly": "missing permissions to a policy of the role"},
    ),
    Case(
        REACHES,
        "variant",
        "allowed on another queue, by a policy of AWS's for functions too",
        program(
            group,
            dead,
            job,
            starter,
            role_policy_of(allowed(["sqs:SendMessage"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:other")),
            attachment(
                "basic",
                role=starter.name,
                policyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
            ),
            schedule_with(),
        ),
        {"nightly": "sqs:SendMessage on dead"},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "a FIFO queue",
        program(
            group,
            job,
            starter,
            queue("dead", name="dead.fifo", fifoQueue=True),
            role_policy_of(allowed("sqs:*", "*")),
            schedule_with(dead_letters=queue("dead", name="dead.fifo", fifoQueue=True)),
        ),
        {"nightly": "FIFO"},
    ),
    Case(
        REACHES,
        "variant",
        "a topic",
        program(schedule_with(dead_letters="arn:aws:sns:eu-west-1:1:t")),
        {"nightly": "not a queue"},
    ),
    Case(
        REACHES,
        "variant",
        "a key that the role may not use",
        program(
            group,
            encrypting,
            encrypted,
            job,
            starter,
            role_policy_of(allowed("sqs:SendMessage", encrypted.arn)),
            schedule_with(dead_letters=encrypted),
        ),
        {"nightly": "kms:Decrypt on the key own and kms:GenerateDataKey"},
        silent_at_preview=True,
    ),
    Case(
        REACHES,
        "variant",
        "denied",
        program(
            group,
            dead,
            job,
            starter,
            role_policy_of(allowed("sqs:*", "*"), {**allowed("sqs:*", "*"), "Effect": "Deny"}),
            schedule_with(),
        ),
        {"nightly": "sqs:SendMessage"},
    ),
    Case(
        REACHES,
        "compliant",
        "a role that may send to the queue",
        program(group, dead, job, starter, both, schedule_with()),
    ),
    Case(
        REACHES,
        "compliant",
        "and use the key",
        program(
            group,
            encrypting,
            encrypted,
            job,
            starter,
            role_policy_of(
                allowed("sqs:SendMessage", encrypted.arn),
                allowed(["kms:Decrypt", "kms:GenerateDataKey*"], encrypting.arn),
            ),
            schedule_with(dead_letters=encrypted),
        ),
    ),
    Case(
        REACHES,
        "unknown",
        "a policy of the role",
        program(group, dead, job, starter, role_policy("starts", role=starter.name, policy=UNKNOWN), schedule_with()),
    ),
    Case(REACHES, "unknown", "which role", program(dead, job, schedule("nightly", target={"roleArn": UNKNOWN}))),
    Case(
        REACHES,
        "unknown",
        "whose role a policy is",
        program(group, dead, job, starter, role_policy("starts", role=UNKNOWN, policy=policy()), schedule_with()),
    ),
    *(
        Case(REACHES, "near miss", what, program(group, dead, job, *given, schedule_with(of=given[0])))
        for what, given in {
            "a policy of its own, attached": (
                starter,
                sends,
                attachment("sends", role=starter.name, policyArn=sends.arn),
            ),
            "attached to several": (starter, sends, attached_to("sends", roles=[starter.name], policyArn=sends.arn)),
            "inline in the role": (
                role("in", inlinePolicies=[{"name": "s", "policy": policy(allowed("sqs:SendMessage", dead.arn))}]),
            ),
            "managed, in the role": (role("in", managedPolicyArns=[sends.arn]), sends),
            "a policy that nobody here can read": (
                starter,
                attachment("theirs", role=starter.name, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/theirs"),
            ),
            "full access by AWS": (
                starter,
                attachment("full", role=starter.name, policyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess"),
            ),
            "by a wildcard in an ARN": (
                starter,
                role_policy_of(allowed("SQS:Send*", concat("arn:aws:sqs:*:", ACCOUNT, ":dead-*"))),
            ),
            "the queue lets the role in": (
                starter,
                queue_policy(
                    "dead", queueUrl=dead.url, policy=policy(allow({"AWS": starter.arn}, "sqs:SendMessage", dead.arn))
                ),
            ),
            "lower case": (
                starter,
                role_policy(
                    "starts",
                    role=starter.id,
                    policy=json_of(statement={"effect": "Allow", "action": "sqs:SendMessage", "resource": dead.arn}),
                ),
            ),
        }.items()
    ),
    Case(
        REACHES,
        "variant",
        "a queue of another stack",
        program(group, job, starter, schedule_with(dead_letters=ELSEWHERE)),
        {"nightly": ("shared-dead", "lacks sqs:SendMessage")},
    ),
    Case(
        REACHES,
        "near miss",
        "a queue of another stack that it may send to",
        program(
            group,
            job,
            starter,
            role_policy_of(allowed("sqs:SendMessage", ELSEWHERE)),
            schedule_with(dead_letters=ELSEWHERE),
        ),
    ),
    Case(REACHES, "near miss", "no dead letters, which another rule says", program(starter, schedule("nightly"))),
]
