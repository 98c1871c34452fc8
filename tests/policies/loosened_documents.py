"""Ways to make a policy document worse: each takes away or loosens one thing in one of its statements."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

STRANGER = "arn:aws:iam::999999999999:root"
_ASKED_FIRST = ("lambda.amazonaws.com", "states.amazonaws.com")
"""Services that refuse a role which they may not assume: it cannot be deployed."""
OTHER_SERVICE = "s3.amazonaws.com"

Statement = dict[str, Any]


def loosened(document: Mapping[str, Any], *, trust: bool) -> Iterator[tuple[str, str]]:
    """What was done, and the document after it, each document once. `trust` is one that says who may assume a role."""
    statements, done = document["Statement"], set()
    for number, statement in enumerate(statements):
        worse = [(what, [loosened_statement]) for what, loosened_statement in _worse(statement, trust)]
        # Removing a permission does not weaken a role, and AWS rejects a document without statements.
        if "Principal" in statement and statement["Effect"] == "Allow" and len(statements) > 1:
            worse.append(("is gone", []))
        for what, put in worse:
            changed = [*statements[:number], *put, *statements[number + 1 :]]
            text = json.dumps({**document, "Statement": changed})
            if text not in done:
                done.add(text)
                yield f"statement {number} {what}", text


def _worse(statement: Statement, trust: bool) -> Iterator[tuple[str, Statement]]:
    if statement["Effect"] == "Deny":
        # A wider Deny grants nothing.
        return
    for what, loosen in _LOOSENINGS.items():
        if (loose := loosen(copy.deepcopy(statement))) and loose != statement and not (trust and what in _NOT_OF_TRUST):
            yield what, loose
    yield from _without_one_condition(statement)
    yield from _with_wide_conditions(statement)
    yield from _with_loose_operators(statement) if "Principal" in statement else ()
    yield from _without_one_action(statement) if "Principal" in statement else _with_a_wide_resource(statement)


def _without_one_action(statement: Statement) -> Iterator[tuple[str, Statement]]:
    actions = _list(statement["Action"])
    for action in actions if len(actions) > 1 else ():
        yield f"lacks {action}", {**statement, "Action": [kept for kept in actions if kept != action]}


def _without_one_condition(statement: Statement) -> Iterator[tuple[str, Statement]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            left = {name: {**inner} for name, inner in statement["Condition"].items()}
            del left[operator][key]
            left = {name: inner for name, inner in left.items() if inner}
            bare = {name: value for name, value in statement.items() if name != "Condition"}
            yield f"lacks the condition {key}", {**bare, "Condition": left} if left else bare


def _with_wide_conditions(statement: Statement) -> Iterator[tuple[str, Statement]]:
    if "Condition" in statement:
        keys = [key for inner in statement["Condition"].values() for key in inner]
        yield f"takes any {' and '.join(keys)}", {**statement, "Condition": {"StringLike": dict.fromkeys(keys, "*")}}


def _with_loose_operators(statement: Statement) -> Iterator[tuple[str, Statement]]:
    keys = [key for inner in statement.get("Condition", {}).values() for key in inner]
    if keys:
        same = {"StringLike": {key: f"${{{key}}}" for key in keys}}
        yield "compares its conditions with themselves", {**statement, "Condition": same}
        others = {"StringNotLike": dict.fromkeys(keys, "unheard-of")}
        yield "asks for all but one value", {**statement, "Condition": others}
    for operator in statement.get("Condition", {}):
        for what, loose in (("IfExists", f"{operator}IfExists"), ("ForAllValues", f"ForAllValues:{operator}")):
            renamed = {loose if name == operator else name: inner for name, inner in statement["Condition"].items()}
            if len(renamed) == len(statement["Condition"]) == 1:
                yield f"has {operator} {what}", {**statement, "Condition": renamed}


def _with_a_wide_resource(statement: Statement) -> Iterator[tuple[str, Statement]]:
    listed = _list(statement.get("Resource", []))
    for number, arn in enumerate(listed):
        wide = _whole_type(arn)
        if wide != arn:
            changed = [*listed[:number], wide, *listed[number + 1 :]]
            yield f"is for {wide}", {**statement, "Resource": changed}


def _whole_type(arn: str) -> str:
    """Everything of the kind that an ARN is of: of its service, Region and account."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return arn
    *head, resource = parts
    kind = next((resource[: resource.index(character) + 1] for character in resource if character in ":/"), "")
    return ":".join([*head, f"{kind}*"])


def _any_action(statement: Statement) -> Statement:
    return {**statement, "Action": "*"}


def _whole_service(statement: Statement) -> Statement:
    return {**statement, "Action": f"{_list(statement['Action'])[0].partition(':')[0]}:*"}


def _misspelt(statement: Statement) -> Statement:
    # Not an s, which would make another action of ssm:GetParameter.
    first, *others = _list(statement["Action"])
    return {**statement, "Action": [*others, f"{first}x"]}


def _all_but_its_actions(statement: Statement) -> Statement | None:
    if "Principal" in statement:
        return None
    action = statement["Action"]
    return {**{key: value for key, value in statement.items() if key != "Action"}, "NotAction": action}


def _any_resource(statement: Statement) -> Statement | None:
    return {**statement, "Resource": "*"} if "Resource" in statement and "Principal" not in statement else None


def _all_but_its_resources(statement: Statement) -> Statement | None:
    if "Resource" not in statement or "Principal" in statement:
        return None
    resource = statement["Resource"]
    return {**{key: value for key, value in statement.items() if key != "Resource"}, "NotResource": resource}


def _any_principal(statement: Statement) -> Statement | None:
    return {**statement, "Principal": "*"} if "Principal" in statement else None


def _any_principal_unconditionally(statement: Statement) -> Statement | None:
    return _unconditional({**statement, "Principal": "*"}) if "Principal" in statement else None


def _stranger(statement: Statement) -> Statement | None:
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return None
    # Without the conditions, which an outsider would not meet.
    return _unconditional({**statement, "Principal": {**principal, "AWS": STRANGER}})


def _other_service(statement: Statement) -> Statement | None:
    principal = statement.get("Principal")
    served = principal.get("Service") if isinstance(principal, dict) else None
    return {**statement, "Principal": {"Service": OTHER_SERVICE}} if served and served not in _ASKED_FIRST else None


def _unconditional(statement: Statement) -> Statement:
    return {key: value for key, value in statement.items() if key != "Condition"}


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


_LOOSENINGS: Mapping[str, Callable[[Statement], Statement | None]] = {
    "allows every action": _any_action,
    "allows its whole service": _whole_service,
    "has a misspelt action": _misspelt,
    "allows all but its actions": _all_but_its_actions,
    "is for every resource": _any_resource,
    "is for all but its resources": _all_but_its_resources,
    "is for every principal": _any_principal,
    "is for every principal, without condition": _any_principal_unconditionally,
    "is for a stranger too": _stranger,
    "is for another service": _other_service,
    "has no condition": _unconditional,
}
_NOT_OF_TRUST = frozenset({"allows every action", "allows its whole service", "has a misspelt action"})
"""AWS refuses a trust policy that has other actions than those of STS."""
