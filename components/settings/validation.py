"""Refuses bad settings before anything is created: every complaint in one message.

Each complaint names the setting, what is allowed, and what was given. Outputs are accepted where a setting may be known
only during the deployment, and refused elsewhere.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails

from ..placement import Placement, complain_about_placement
from .checks import KeyFormatter, format_name
from .cross_field import CROSS_FIELD_CHECKS
from .declarations import SETTINGS
from .name_lengths import complain_about_names
from .policy_sizes import complain_about_policy_sizes, complain_about_queue_policy
from .removed import REMOVED

COMPONENT = "rotation-guard"
"""What the component of the stack is called."""
EXISTING = "existing"
"""The argument of RotationGuard that is no setting: what exists already, and is used."""
_COMPLAINT = re.compile(
    r"(?P<path>(?!the )[A-Za-z]\w*(?:\[\d+\]|\.[^\s.\[\]]+)*) (?P<reason>(?P<other>and [\w.]+ )?(?:must|is) .+)",
    re.DOTALL,
)
"""A complaint that begins with the path of what is wrong; of several, the sentence names all."""
UNKNOWN_PLACEMENT = Placement()
"""Where only the deployment can tell."""


class InvalidSettings(pulumi.RunError, InputPropertiesError):
    """The settings cannot be deployed; the message holds every complaint. Pulumi prints it without a traceback.

    It is a property error, too: `errors` has the path and the reason of each complaint that begins with a path.
    """

    def __init__(self, complaints: list[str]) -> None:
        self.complaints = complaints
        count = "a setting that cannot" if len(complaints) == 1 else f"{len(complaints)} settings that cannot"
        message = "\n  ".join([f"rotation-guard has {count} be deployed:", *complaints])
        InputPropertiesError.__init__(self, message, [*filter(None, map(locate, complaints))])


def locate(complaint: str) -> InputPropertyErrorDetails | None:
    """The path and the reason of a complaint that begins with a path; None for another one."""
    match = _COMPLAINT.fullmatch(complaint)
    if match is None:
        return None
    return {"property_path": match["path"], "reason": complaint if match["other"] else match["reason"]}


def refuse_invalid(
    args: Mapping[str, Any],
    component: str = COMPONENT,
    placement: Placement = UNKNOWN_PLACEMENT,
    others: Iterable[str] = (),
) -> None:
    """Raises InvalidSettings when any of these settings, named as RotationGuardArgs names them, is wrong.

    They are for a component of this name, in this place. `others` are complaints that belong to the same message.
    """
    complaints = [*complaints_about(args, component=component, placement=placement), *others]
    if complaints:
        raise InvalidSettings(complaints)


def complaints_about(
    args: Mapping[str, Any],
    format_key: KeyFormatter = str,
    secret_settings: frozenset[str] = frozenset(),
    *,
    component: str = COMPONENT,
    placement: Placement = UNKNOWN_PLACEMENT,
) -> list[str]:
    """What is wrong with these settings for a component of this name in this place, a sentence each.

    `format_key` formats a setting's name as its author wrote it, such as camel case in a stack's configuration; the
    values of `secret_settings` are not repeated.
    """
    complaints = [undeclared(str(name), format_key) for name in args if name not in (*SETTINGS, EXISTING)]
    wrong: set[str] = set()
    for name, setting in SETTINGS.items():
        if name not in args or (setting.may_be_output and isinstance(args[name], pulumi.Output)):
            continue
        messages = list(setting.check(format_key, args[name]))
        if messages:
            wrong.add(name)
        if name in secret_settings:
            messages = [_without_value(message) for message in messages]
        complaints += [f"{format_key(name)}{message}" for message in messages]
    for check in CROSS_FIELD_CHECKS:
        complaints += check(args, format_key, secret_settings)
    right = {setting: value for setting, value in args.items() if setting not in wrong}
    complaints += complain_about_placement(right, format_key, secret_settings, placement)
    complaints += complain_about_names(component, right, format_key, secret_settings)
    complaints += complain_about_policy_sizes(component, right, format_key, secret_settings)
    complaints += complain_about_queue_policy(component, right, format_key, secret_settings, placement.region)
    return complaints


def undeclared(name: str, format_key: KeyFormatter) -> str:
    """The complaint about a setting that does not exist: what replaced it, or the one that was probably meant."""
    for removed, instead in REMOVED.items():
        if name in (removed, format_key(removed)):
            return f"{format_key(removed)} is no longer a setting: {instead}. Remove it."
    return describe_unknown(name, [format_key(known) for known in SETTINGS], "a setting")


def describe_unknown(name: str, known: Iterable[str], what: str) -> str:
    """The complaint about a name that is not `what`: the one that was probably meant, or all that there are."""
    return f"{format_name(name)} {suggest(name, known, what)}"


def suggest(name: str, known: Iterable[str], what: str) -> str:
    """The same without the name."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"is not {what}; {hint}"


def _without_value(complaint: str) -> str:
    # The first one: what follows may hold the same words.
    return complaint.partition(", got ")[0] + ", got a secret value"
