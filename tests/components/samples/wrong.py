"""Values that are invalid for most settings."""

import datetime

ACCOUNT = "eu-west-1:111122223333"
LOOP: dict = {}
LOOP["again"] = LOOP
DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]
ARABIC_7, ARABIC_12 = "\u0667", "\u0661" * 12
JUNK = [
    None,
    True,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    "",
    "x\ny",
    b"bytes",
    [],
    [None],
    [[]],
    [[1], "x"],
    (),
    {},
    {"": None},
    {1: 2},
    {None: None},
    {("a", "b"): "c"},
    {"key": None, "value": []},
    [{"topic": [], "protocol": {}, "endpoint": None}],
    [{"name": [], "event_pattern": [], "to": {}}],
    {1, 2},
    object(),
    datetime.date(2026, 3, 1),
    LOOP,
    DEEP,
    [DEEP],
    {"x": DEEP},
    [{"topic": DEEP, "protocol": LOOP, "endpoint": DEEP}],
    [{"name": "x", "to": "both", "event_pattern": {"detail": DEEP}}],
]
"""Values that hardly any setting accepts."""
FAR_TOO_DEEP = {"detail": {"state": DEEP}}
NUMBERS = [-1, 1.0, 2.5, "1", None, True, [], {}, 10**30, float("nan"), ARABIC_7]
"""Values that no integer setting accepts."""


def without(mapping, *names):
    return {name: value for name, value in mapping.items() if name not in names}
