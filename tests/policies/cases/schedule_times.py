"""Cases of the rules about schedule expressions, and about retries that overlap the next run."""

from tests.policies.programs import UNKNOWN, Case, make, program, schedule

RETRIES, ACCEPTED = "schedule-retries-end-before-the-next-run", "schedule-expression-is-accepted"


def schedule_every(expression: object, age: object = None, attempts: object = None):
    """A schedule with these retries."""
    given = {"maximumEventAgeInSeconds": age, "maximumRetryAttempts": attempts}
    retry = {name: value for name, value in given.items() if value is not None}
    return schedule("nightly", scheduleExpression=expression, target={"retryPolicy": retry} if retry else {})


CASES = [
    # --- schedule-retries-end-before-the-next-run
    Case(
        RETRIES,
        "typical",
        "AWS's default",
        program(schedule_every("rate(1 hour)")),
        {"nightly": ("after 3600 s", "is absent, which means 86400", "less than 3600, such as 1800")},
    ),
    Case(RETRIES, "typical", "a day, daily", program(schedule_every("cron(0 3 * * ? *)", 86400)), {"nightly": "86400"}),
    Case(RETRIES, "variant", "as text", program(schedule_every("rate(30 minutes)", "1800")), {"nightly": "1800"}),
    Case(
        RETRIES,
        "variant",
        "every minute",
        program(schedule_every("rate(1 minute)", 60)),
        {"nightly": "maximumRetryAttempts to 0"},
    ),
    Case(
        RETRIES,
        "variant",
        "twice in the night",
        program(schedule_every("cron(0 23,1 * * ? *)", 7200)),
        {"nightly": "after 7200 s"},
    ),
    Case(
        RETRIES,
        "variant",
        "on workdays",
        program(schedule_every("cron(0 9 ? * MON-FRI *)")),
        {"nightly": "after 86400 s"},
    ),
    Case(
        RETRIES,
        "variant",
        "the last and the first",
        program(schedule_every("cron(0 9 1,L * ? *)")),
        {"nightly": "after 86400 s"},
    ),
    Case(RETRIES, "compliant", "retries for half the interval", program(schedule_every("rate(1 hour)", 1800, 10))),
    Case(RETRIES, "unknown", "how often", program(schedule_every(UNKNOWN, 3600))),
    Case(RETRIES, "unknown", "how long", program(schedule_every("rate(1 hour)", UNKNOWN))),
    *(
        Case(RETRIES, "near miss", what, program(schedule_every(*how)))
        for what, how in {
            "no retries": ("rate(1 minute)", 86400, 0),
            "once": ("at(2030-01-01T03:00:00)",),
            "every week": ("cron(0 3 ? * MON *)",),
            "every week, by a rate": ("rate(7 days)",),
            "on two days a week": ("cron(0 3 ? * 2,6 *)", 86400),
            "the first Monday": ("cron(0 3 ? * 2#1 *)",),
            "the last weekday of the month": ("cron(0 3 LW * ? *)",),
            "no expression that anyone takes": ("rate(1 fortnight)",),
            "a second less": ("rate(1 hour)", 3599),
        }.items()
    ),
    # --- schedule-expression-is-accepted
    *(
        Case(
            ACCEPTED,
            kind,
            expression or "empty parentheses",
            program(schedule("nightly", scheduleExpression=expression)),
            {"nightly": words},
        )
        for kind, expression, words in [
            ("typical", "every hour", "neither"),
            ("typical", "rate(10 seconds)", "minutes, hours or days"),
            ("variant", "rate(10)", "a value and a unit"),
            ("variant", "rate(0 hours)", "at least 1"),
            ("variant", "cron(0 3 ? * \u017fun *)", "non-ASCII"),
            ("variant", "rate( 1 hour )", "rate"),
            ("variant", "cron(0 3 * * * *)", "must be ?"),
            ("variant", "cron(0 3 ? * ? *)", "must be ?"),
            ("variant", "cron(0 3 * * ?)", "six fields"),
            ("variant", "0 3 * * *", "neither"),
            ("variant", "cron(0 24 * * ? *)", "24 is not a valid value for hours"),
            ("variant", "cron(0/0 3 * * ? *)", "not a valid step"),
            ("variant", "cron(? 3 * * ? *)", "not valid for minutes"),
            ("variant", "cron(0 3 ? * 0 *)", "0 is not a valid value for day-of-week"),
            ("variant", "at(2030-01-01T03:00:00Z)", "without a time zone"),
            ("variant", "at(2030-02-30T03:00:00)", "is not a valid time"),
        ]
    ),
    Case(ACCEPTED, "compliant", "a valid expression", program(schedule("nightly", scheduleExpression="rate(1 hour)"))),
    Case(ACCEPTED, "unknown", "the expression", program(schedule("nightly", scheduleExpression=UNKNOWN))),
    *(
        Case(ACCEPTED, "near miss", expression, program(schedule("nightly", scheduleExpression=expression)))
        for expression in (
            "at(2030-01-01T03:00:00)",
            "rate(90 days)",
            "rate(1 hours)",
            "rate(2 hour)",
            "cron(0 8 ? jan-mar mon-fri *)",
            "cron(0/15 8-18 ? * MON-FRI *)",
            "cron(0 3 ? * mon *)",
            "cron(0 3 L * ? 2030-2040)",
            "cron(0 3 15W JAN,JUL ? *)",
            "cron(0 3 ? * 6L *)",
            "cron(*/5 * * * ? *)",
            "cron(0 22 ? * FRI-MON *)",
        )
    ),
    Case(
        ACCEPTED,
        "near miss",
        "a rule's, which is no schedule",
        program(make("aws:cloudwatch/eventRule:EventRule")("r", scheduleExpression="rate(0 hours)")),
    ),
]
