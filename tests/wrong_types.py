"""Values of every type, for attributes that nothing of ours writes like this."""

from decimal import Decimal

WRONG = {
    "number": 5,
    "fraction": Decimal("0.5"),
    "negative": -5,
    "huge": Decimal(10) ** 30,
    "text": "words",
    "empty text": "",
    "time": "9999-99-99T99:99:99Z",
    "time before the first": "0001-01-01T00:00:00+14:00",
    "flag": True,
    "list": ["words", 5, {"at": 5}],
    "mapping": {"words": "words", "notes": "words", "max_age_classes": ["words", {"class": 5}], "why": ["words"]},
}
