"""Cases of the rules about trust in the role of a schedule."""

from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, Made, make, policy, program, role, schedule

group_of = make("aws:scheduler/scheduleGroup:ScheduleGroup")
group = group_of("nightly")

TRUSTS = "schedule-role-trusts-its-group-alone"
SCHEDULER = {"Service": "scheduler.amazonaws.com"}
GROUPS = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group"


def trust(condition: object = None, principal: object = None):
    """A trust policy for Scheduler under this condition."""
    statement = {"Effect": "Allow", "Principal": principal or SCHEDULER, "Action": "sts:AssumeRole"}
    return policy({**statement, **({"Condition": condition} if condition else {})})


def trusted(condition: object, **more: object):
    """A schedule whose role is trusted under this condition."""
    own = role("starter", assumeRolePolicy=trust(condition))
    return program(group, own, schedule("nightly", target={"roleArn": own.arn}, **({"groupName": group.name} | more)))


def schedule_with(of: Made):
    """A schedule in the group, with this role."""
    return schedule("nightly", groupName=group.name, target={"roleArn": of.arn})


CASES = [
    # --- schedule-role-trusts-its-group-alone
    Case(
        TRUSTS,
        "typical",
        "no condition",
        program(role("open", assumeRolePolicy=trust()), schedule_with(role("open", assumeRolePolicy=trust()))),
        {"open": ("nightly",)},
    ),
    Case(
        TRUSTS,
        "typical",
        "the account alone",
        trusted({"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        {"starter": "no condition on aws:SourceArn"},
    ),
    Case(
        TRUSTS,
        "typical",
        "the group alone",
        trusted({"ArnEquals": {"aws:SourceArn": group.arn}}),
        {"starter": "no condition on aws:SourceAccount"},
        silent_at_preview=True,
    ),
    Case(
        TRUSTS,
        "variant",
        "accounts that begin so",
        trusted({"StringLike": {"aws:SourceAccount": "1111*", "aws:SourceArn": f"{GROUPS}/x"}}, groupName="x"),
        {"starter": "no condition on aws:SourceAccount"},
    ),
    *(
        Case(
            TRUSTS,
            "variant",
            what,
            trusted({"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": arn}}, groupName="x"),
            {"starter": words},
        )
        for what, arn, words in [
            ("every group", f"{GROUPS}/*", "every group"),
            ("everything of Scheduler", f"arn:aws:scheduler:*:{ACCOUNT}:*", "every group"),
            ("the schedule", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/x/nightly", "not of the schedule"),
            ("another group", f"{GROUPS}/y", "in the group x"),
            ("the default group, in which it is not", [f"{GROUPS}/default"], "to the ARN of that group"),
        ]
    ),
    Case(
        TRUSTS,
        "variant",
        "only if it is said",
        trusted(
            {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"{GROUPS}/x"}},
            groupName="x",
        ),
        {"starter": "aws:SourceAccount"},
    ),
    Case(
        TRUSTS,
        "compliant",
        "conditions on the account and the group",
        trusted({"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": group.arn}}),
    ),
    Case(TRUSTS, "unknown", "the trust policy", program(role("r", assumeRolePolicy=UNKNOWN), schedule_with(role("r")))),
    Case(
        TRUSTS,
        "unknown",
        "the condition",
        trusted({"StringEquals": {"aws:SourceAccount": UNKNOWN, "aws:SourceArn": UNKNOWN}}),
    ),
    Case(TRUSTS, "near miss", "the role of nothing", program(role("open", assumeRolePolicy=trust()))),
    Case(
        TRUSTS,
        "near miss",
        "another service besides, in a statement of its own",
        program(
            group,
            role(
                "starter",
                assumeRolePolicy=policy(
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": ["scheduler.amazonaws.com"]},
                        "Action": "sts:AssumeRole",
                        "Condition": {
                            "StringEquals": {"aws:sourceaccount": [ACCOUNT]},
                            "ArnEquals": {"AWS:SourceArn": group.arn},
                        },
                    },
                ),
            ),
            schedule_with(role("starter")),
        ),
    ),
    *(
        Case(
            TRUSTS,
            "near miss",
            what,
            trusted({"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": arn}}, **more),
        )
        for what, arn, more in [
            ("the default group", f"{GROUPS}/default", {"groupName": None}),
            ("groups by their beginning", f"{GROUPS}/shop-*", {"groupName": "shop-nightly"}),
            ("one of two", [f"{GROUPS}/a", f"{GROUPS}/b"], {"groupName": "b"}),
        ]
    ),
]
