"""Settings of the stack as a whole that are right, and such that are not."""

from .remediation import FUNCTION
from .wrong import ACCOUNT, ARABIC_12, NUMBERS

KEY = f"arn:aws:kms:{ACCOUNT}:key/7d0e"
LAYER = f"arn:aws:lambda:{ACCOUNT}:layer:powertools:7"
OTHER = {
    "history_days": 10,
    "deletion_protection": False,
    "log_retention_days": 5,
    "create_trail": True,
    "powertools_layer_arn": LAYER,
    "kms_key_arn": KEY,
    "tags": {"team": "platform"},
    "demo": True,
    "drill": True,
    "canary_schedule": "cron(30 6 ? * * *)",
    "security_hub": True,
}
"""Another value than the default for each; all of them can be deployed together."""
GOOD = [
    ("history_days", [0, 400, 3650]),
    ("deletion_protection", [True, False]),
    ("log_retention_days", [1, 90, 3653]),
    ("create_trail", [True, False]),
    ("powertools_layer_arn", [f"arn:aws:lambda:{ACCOUNT}:layer:powertools:7"]),
    ("kms_key_arn", [f"arn:aws:kms:{ACCOUNT}:key/7d0e-11", f"arn:aws-cn:kms:{ACCOUNT}:key/mrk-1"]),
    ("tags", [{}, {"team": "Plattform + Co"}, {"a:b": "c/d=e@f"}, {str(n): "x" for n in range(45)}]),
    ("demo", [True, False]),
    ("security_hub", [True, False]),
    ("drill", [True, False]),
    ("canary_schedule", ["", "rate(1 day)", "rate(5 minutes)", "cron(0 6 ? * MON *)"]),
]
BAD = [
    ("history_days", "an integer from 0 to 3650", [*NUMBERS, 3651]),
    ("deletion_protection", "true or false", [None, 0, 1, "true", "", []]),
    ("log_retention_days", "one of 1, 3, 5, 7", [*NUMBERS[:1], *NUMBERS[2:], 0, 2, 91, 3650]),
    ("create_trail", "true or false", [None, 0, 1, "true", "", []]),
    (
        "powertools_layer_arn",
        "the ARN of a version of a Lambda layer",
        [None, "", "powertools", 1, f"arn:aws:lambda:{ACCOUNT}:layer:powertools", [], FUNCTION],
    ),
    (
        "kms_key_arn",
        "the ARN of a KMS key",
        [
            None,
            "",
            "alias/aws/sns",
            f"arn:aws:kms:{ACCOUNT}:alias/mine",
            f"arn:aws:kms:eu-west-1:{ARABIC_12}:key/1",
            f"arn:aws:kms:{ACCOUNT}:key/1\n",
            {},
        ],
    ),
    ("tags", "a map of keys to values", [None, "x", [], 1, [["a", "b"]]]),
    ("tags", "at most 45 tags", [{str(n): "x" for n in range(46)}]),
    ("tags", "a tag whose key is text", [{1: "x"}, {"": "x"}, {"k" * 129: "x"}, {"a\nb": "x"}, {None: "x"}]),
    ("tags", "a tag whose value is text", [{"a": x} for x in (1, None, True, [], {}, "v" * 257, "a\tb", "a*b")]),
    ("tags", "does not begin with aws:", [{"aws:created-by": "me"}]),
    ("demo", "true or false", [None, 0, 1, "true", "", []]),
    ("drill", "true or false", [None, 0, 1, "false", {}]),
    (
        "canary_schedule",
        "as EventBridge Scheduler takes it",
        ["never", "rate(0 hours)", "rate(10 seconds)", " ", "cron(0 6 * * * *)", None, False, 5, ["rate(1 day)"]],
    ),
    ("security_hub", "true or false", [None, 0, 1, "true", {}]),
]
