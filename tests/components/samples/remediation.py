"""Settings of remediation that are right, and such that are not."""

from .wrong import ACCOUNT, ARABIC_7, ARABIC_12, NUMBERS

FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function:probe"
SERVICE = f"arn:aws:ecs:{ACCOUNT}:service/shop/orders"
DOCUMENT = f"arn:aws:ssm:{ACCOUNT}:document/restart-orders"
OF_AWS = "arn:aws:ssm:eu-west-1::document/AWS-RestartEC2Instance"
ROLE = "arn:aws:iam::111122223333:role/ops/automation"
NIGHT = {"start": "22:00", "end": "04:00"}

NO_LISTS = [None, "x", 1, True, {}, FUNCTION]
NO_FUNCTIONS = [
    None,
    "",
    1,
    "probe",
    [FUNCTION],
    f"{FUNCTION}:live",
    f"{FUNCTION}:*",
    f"{FUNCTION}*",
    f"{FUNCTION}\n",
    f"arn:aws:lambda:{ACCOUNT}:function:*",
    f"arn:aws:lambda:{ACCOUNT}:function:{'x' * 65}",
    f"arn:aws:lambda:eu-west-1:{ARABIC_12}:function:probe",
    "arn:aws:lambda:eu-west-1::function:probe",
    SERVICE,
]

PROBE, ROTATION = (f"arn:aws:lambda:{ACCOUNT}:function:{name}" for name in ("probe", "rotation"))
OTHER = {
    "remediation_mode": "repair",
    "remediation_scope": {"name": "dev/*", "tag": {"key": "stage", "value": "dev"}},
    "settle_minutes": 1,
    "max_retries": 4,
    "breaker_threshold": 5,
    "max_actions_per_hour": 7,
    "reserved_concurrency": 2,
    "change_window": {"start": "22:00", "end": "04:00", "days": ["sat", "sun"]},
    "probe_functions": [PROBE],
    "rotation_functions": [ROTATION],
    "restart_targets": [SERVICE],
    "restart_role_arns": ["arn:aws:iam::111122223333:role/automation"],
    "restart_timeout_minutes": 9,
    "runbook_url": "https://example.com/runbook",
}
"""Another value than the default for each; all of them can be deployed together."""
GOOD = [
    ("remediation_mode", ["notify", "retry", "repair"]),
    (
        "remediation_scope",
        [
            {},
            {"name": "dev/*"},
            {"name": "db-?"},
            {"tag": {"key": "stage"}},
            {"tag": {"key": "stage", "value": ""}},
            {"name": "*", "tag": {"key": "Überwacht", "value": "ja"}},
        ],
    ),
    ("settle_minutes", [0, 15, 1440]),
    ("max_retries", [0, 3, 10]),
    ("breaker_threshold", [1, 3, 100]),
    ("max_actions_per_hour", [0, 10, 50]),
    ("reserved_concurrency", [0, 5, 100]),
    (
        "change_window",
        [
            {},
            NIGHT,
            {"start": "00:00", "end": "23:59"},
            {**NIGHT, "days": ["sun"]},
            {**NIGHT, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        ],
    ),
    ("probe_functions", [[], [FUNCTION], [FUNCTION, f"{FUNCTION}-2"], [f"arn:aws-cn:lambda:{ACCOUNT}:function:p_1"]]),
    ("rotation_functions", [[], [FUNCTION], [f"arn:aws:lambda:{ACCOUNT}:function:{'x' * 64}"]]),
    ("restart_targets", [[], [SERVICE, FUNCTION, DOCUMENT, OF_AWS], [f"arn:aws:ecs:{ACCOUNT}:service/a-1/b_2"]]),
    ("restart_role_arns", [[], [ROLE], [ROLE, "arn:aws:iam::111122223333:role/x"]]),
    ("restart_timeout_minutes", [1, 30, 1441, 4320]),
    ("runbook_url", ["https://wiki.example.com/runbook?x=1#rotation", "https://[2001:db8::1]:8443/"]),
]
BAD = [
    ("remediation_mode", "one of notify, retry, repair", [None, "", "Notify", "off", 0, ["notify"], {}]),
    ("remediation_scope", "a map of name (optional), tag (optional)", [None, "dev/*", [], 1, True, ["dev/*"]]),
    ("remediation_scope", "not have names", [{"names": ["dev/*"]}, {"name": "dev/*", "names": "x"}]),
    (
        "remediation_scope",
        "a pattern of secret names: 1 to 512 letters",
        [{"name": x} for x in (None, "", 1, "dev/[ab]*", "d ev", "${aws:username}", "x" * 513, ["dev/*"])],
    ),
    ("remediation_scope", "a key, and optionally a value", [{"tag": x} for x in (None, "stage", {}, {"value": "dev"})]),
    ("remediation_scope", "a tag whose key is text", [{"tag": {"key": x}} for x in (None, "", 1, "x" * 129)]),
    (
        "remediation_scope",
        "another tag than rotation-guard:remediation",
        [{"tag": {"key": x, "value": "repair"}} for x in ("rotation-guard:remediation", "Rotation-Guard:Remediation")],
    ),
    ("settle_minutes", "an integer from 0 to 1440", [*NUMBERS, 1441]),
    ("max_retries", "an integer from 0 to 10", [*NUMBERS, 11]),
    ("breaker_threshold", "an integer from 1 to 100", [*NUMBERS, 0, 101]),
    ("max_actions_per_hour", "an integer from 0 to 50 (RotateSecret's quota is 50 per second)", [*NUMBERS, 51]),
    ("reserved_concurrency", "an integer from 0 to 100", [*NUMBERS, 101]),
    ("change_window", "a map of days (optional), start, end", [None, "22:00-04:00", [], 1, True]),
    ("change_window", "have end", [{"start": "22:00"}]),
    ("change_window", "not have from", [{**NIGHT, "from": "22:00"}]),
    (
        "change_window",
        'a time of day in UTC, such as "22:00" (in quotes)',
        [
            {**NIGHT, "start": x}
            for x in (1320, None, "", "24:00", "22:60", "9:00", "22:00:00", "22:00\n", f"{ARABIC_7}2:00", ["22:00"])
        ],
    ),
    ("change_window", "another time than start", [{"start": "04:00", "end": "04:00"}]),
    (
        "change_window",
        "a list of mon, tue, wed, thu, fri, sat, sun",
        [{**NIGHT, "days": x} for x in (None, "mon", [], ["Mon"], ["monday"], ["mon", "mon"], [1], [["mon"]], {})],
    ),
    ("probe_functions", "a list", NO_LISTS),
    ("probe_functions", "the ARN of a Lambda function, without a version", [[x] for x in NO_FUNCTIONS]),
    ("probe_functions", "be there once", [[FUNCTION, FUNCTION]]),
    ("probe_functions", "at most 3000 characters", [[f"{FUNCTION}-{number}" for number in range(60)]]),
    ("rotation_functions", "a list", NO_LISTS),
    ("rotation_functions", "the ARN of a Lambda function, without a version", [[x] for x in NO_FUNCTIONS]),
    ("rotation_functions", "be there once", [[FUNCTION, FUNCTION]]),
    ("restart_targets", "a list", NO_LISTS),
    (
        "restart_targets",
        "the ARN of an ECS service (service/cluster/name), a Lambda function or an SSM document",
        [
            [x]
            for x in (
                *NO_FUNCTIONS[:-1],
                "ecs:shop/orders",
                f"arn:aws:ecs:{ACCOUNT}:service/orders",
                f"arn:aws:ecs:{ACCOUNT}:service/shop/*",
                f"arn:aws:ecs:{ACCOUNT}:service/shop/orders/x",
                f"arn:aws:ecs:{ACCOUNT}:cluster/shop",
                f"arn:aws:ssm:{ACCOUNT}:document/*",
                f"arn:aws:ssm:{ACCOUNT}:automation-definition/restart:1",
                "arn:aws:ecs:eu-west-1::service/shop/orders",
            )
        ],
    ),
    ("restart_targets", "be there once", [[SERVICE, SERVICE]]),
    ("restart_targets", "at most 3000 characters", [[f"{SERVICE}-{number}" for number in range(60)]]),
    ("restart_role_arns", "a list", NO_LISTS),
    (
        "restart_role_arns",
        "the ARN of an IAM role",
        [[x] for x in (None, "", 1, "ops", [ROLE], f"{ROLE}*", FUNCTION, f"arn:aws:iam::{ARABIC_12}:role/x")],
    ),
    ("restart_role_arns", "be there once", [[ROLE, ROLE]]),
    ("restart_timeout_minutes", "an integer from 1 to 4320", [*NUMBERS, 0, 4321]),
    (
        "runbook_url",
        "a URL that begins with https://",
        [None, "", 1, [], "http://example.com", "https://", "https://a b", "https://x:99999", "docs/runbook.md"],
    ),
    ("runbook_url", "of at most 1000 characters", ["https://example.com/" + "x" * 1000]),
]
