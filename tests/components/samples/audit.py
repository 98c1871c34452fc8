"""Settings of the audit that are right, and such that are not."""

from .wrong import NUMBERS, without


def age_class(**changes):
    return {"days": 30, "name": "prod/*", **changes}


OTHER = {
    "schedule_expression": "cron(0 6 ? * * *)",
    "schedule_timezone": "Europe/Berlin",
    "schedule_flexible_minutes": 5,
    "report_schedule": "cron(0 6 ? * MON *)",
    "report_object_lock_days": 30,
    "max_age_days": 90,
    "max_age_classes": [
        {"days": 7, "name": "prod/*", "tag": {"key": "tier", "value": "gold"}},
        {"days": 365, "tag": {"key": "slow"}},
    ],
    "warn_days": 14,
    "stuck_hours": 2,
    "max_overdue": 0,
    "history": "changes",
    "publish_status": True,
    "managed_tag": {"key": "audit", "value": "yes"},
}
"""Another value than the default for each; all of them can be deployed together."""
GOOD = [
    ("report_schedule", ["", "rate(1 day)", "cron(0 6 1 * ? *)"]),
    ("report_object_lock_days", [0, 1, 3650]),
    (
        "schedule_expression",
        ["rate(1 hour)", "rate(2 hours)", "rate(1 hours)", "cron(0 6 ? * MON *)", "cron(0 8 ? * mon-fri *)"],
    ),
    ("schedule_timezone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]),
    ("schedule_flexible_minutes", [0, 1, 60]),
    ("max_age_days", [0, 1, 30, 3650]),
    (
        "max_age_classes",
        [
            [],
            [age_class()],
            [age_class(days=0), age_class(days=3650, name="*")],
            [age_class(tag={"key": "tier"})],
            [{"days": 1, "tag": {"key": "tier", "value": ""}}, {"days": 1, "tag": {"key": "tier", "value": "gold"}}],
            [{"days": 1, "tag": {"key": "Managed"}}],
            [age_class(name="a?"), age_class(name="a*"), age_class(name="[b-d]?!_+=.@-")],
            [age_class(name="rds!*"), age_class(name="x" * 512)],
            [age_class(name=None, tag={"key": "tier", "value": None}), age_class(tag=None)],
            [age_class(name=f"team-{number}/*") for number in range(50)],
        ],
    ),
    ("warn_days", [0, 1, 7, 3650]),
    ("stuck_hours", [1, 24, 8760]),
    ("max_overdue", [0, 1, 500_000]),
    ("managed_tag", [{"key": "Managed", "value": "true"}, {"key": "Überwacht", "value": ""}]),
    ("history", ["everyRun", "changes"]),
    ("publish_status", [True, False]),
]
BAD = [
    ("report_schedule", "as EventBridge Scheduler takes it", ["rate(0 days)", "daily", None, 5, ["rate(1 day)"], True]),
    ("report_object_lock_days", "an integer from 0 to 3650", [*NUMBERS, 3651]),
    (
        "schedule_expression",
        "as EventBridge Scheduler takes it",
        ["rate(0 hours)", "rate(0 hour)", "rate(10 seconds)", "cron(0 6 * * * *)", "", None, 5, ["rate(1 hour)"]],
    ),
    ("schedule_timezone", "an IANA time zone", ["", "Mars/Olympus", "utc ", "../UTC", None, 1, ["UTC"], {}]),
    ("schedule_flexible_minutes", "an integer from 0 to 1440", [*NUMBERS, 1441]),
    ("max_age_days", "an integer from 0 to 3650", [*NUMBERS, 3651]),
    ("max_age_classes", "a list", [None, "x", 1, {}, age_class()]),
    ("max_age_classes", "a map of days, name (optional), tag (optional)", [[None], ["prod/*"], [[]]]),
    ("max_age_classes", "have days", [[without(age_class(), "days")], [{}]]),
    ("max_age_classes", "not have nmae", [[age_class(nmae="x")]]),
    ("max_age_classes", "an integer from 0 to 3650", [[age_class(days=x)] for x in (*NUMBERS, 3651)]),
    ("max_age_classes", "a class by name, by tag, or by both", [[{"days": 1}], [{"days": 1, "name": None}]]),
    (
        "max_age_classes",
        "a pattern of secret names",
        [[age_class(name=x)] for x in ("", "a b", "prod\\*", "a[b", "ü*", "x" * 513, "x\n", 1, True, ["x"], {})],
    ),
    (
        "max_age_classes",
        "a key, and optionally a value",
        [[age_class(tag=x)] for x in ("tier", {}, [], {"value": "x"}, {"key": "a", "vlaue": "x"}, {"key": 1, 2: 3})],
    ),
    ("max_age_classes", "a tag whose key is text", [[age_class(tag={"key": x})] for x in ("", "k" * 129, 1, None)]),
    (
        "max_age_classes",
        "a tag whose value is text",
        [[age_class(tag={"key": "k", "value": x})] for x in (True, 1, "v" * 257, "a*")],
    ),
    ("max_age_classes", "does not begin with aws:", [[age_class(tag={"key": "aws:x"})]]),
    (
        "max_age_classes",
        "a class that a secret can get into",
        [
            [age_class(), age_class(days=7)],
            [age_class(name="*"), age_class()],
            [{"days": 1, "tag": {"key": "tier"}}, {"days": 1, "tag": {"key": "tier", "value": "gold"}}],
            [{"days": 1, "tag": {"key": "Managed", "value": "false"}}],
            [{"days": 1, "tag": {"key": "Managed", "value": "true"}}, age_class()],
        ],
    ),
    (
        "max_age_classes",
        "at most 2048 characters as a function's environment holds them",
        [[age_class(name=f"team-{number}/*") for number in range(100)]],
    ),
    ("warn_days", "an integer from 0 to 3650", [*NUMBERS, 3651]),
    ("stuck_hours", "an integer from 1 to 8760", [*NUMBERS, 0, 8761]),
    ("max_overdue", "an integer from 0 to 500000 (500000 switches the alarm off)", [*NUMBERS, 500_001]),
    ("managed_tag", "a key and a value and nothing else", [None, "Managed", [], {}, {"key": "a"}, {"Key": 1}]),
    ("managed_tag", "a tag whose key is text", [{"key": "", "value": "x"}, {"key": "k" * 129, "value": "x"}]),
    ("managed_tag", "a tag whose value is text", [{"key": "k", "value": x} for x in (True, None, 1, "v" * 257, "\n")]),
    ("managed_tag", "does not begin with aws:", [{"key": "aws:x", "value": ""}, {"key": "AWS:x", "value": ""}]),
    ("publish_status", "true or false", [None, 0, 1, "true", "", []]),
    ("history", "one of everyRun, changes", [None, "", "every_run", "Changes", 0, True, ["changes"], {}]),
]
