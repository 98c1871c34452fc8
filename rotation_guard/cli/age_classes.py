"""A class of secrets with a limit of its own, as an option gives it.

    name:PATTERN=DAYS                  a pattern of names, in which * ? and [...] are wildcards
    tag:KEY=DAYS                       a tag with any value
    tag:KEY=VALUE=DAYS                 a tag with this value
    name:PATTERN tag:KEY=VALUE=DAYS    both

The days stand behind the last =, and a tag's key ends at its first =, so a pattern and a value may have more of them.
"""

from rotation_guard.domain.audit.age_limits import MAX_LIMIT_DAYS, AgeClass

from .problems import Misused

_FORMS = "name:PATTERN=DAYS, tag:KEY=DAYS or tag:KEY=VALUE=DAYS"


def age_class(text: str) -> AgeClass:
    """The class that this text describes."""
    described, sign, days = text.rpartition("=")
    if not sign:
        raise _wrong(text)
    if not (days.isascii() and days.isdigit() and len(days) <= 4 and int(days) <= MAX_LIMIT_DAYS):
        raise Misused(f"--max-age-class must end with = and 0 to {MAX_LIMIT_DAYS} days, got {text!r}.")
    name = None
    if described.startswith("name:"):
        # Neither a name nor a sensible pattern holds a space.
        name, _, described = described.removeprefix("name:").partition(" ")
        if not name or (described and not described.startswith("tag:")):
            raise _wrong(text)
    key, sign, value = described.removeprefix("tag:").partition("=")
    if described and not (described.startswith("tag:") and key):
        raise _wrong(text)
    if not described and name is None:
        raise _wrong(text)
    return AgeClass(int(days), name, key or None, value if sign else None)


def _wrong(text: str) -> Misused:
    return Misused(f"--max-age-class must be {_FORMS}, got {text!r}.")
