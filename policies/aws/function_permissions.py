"""Evaluates whether the permissions of a function allow a service to invoke it on behalf of a resource."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model import resource_types, values
from ..model.stack import Resource, Stack
from ..model.values import Mark, Undecided, any_of
from . import arns
from .iam import policy_documents, wildcards

INVOKE = "lambda:InvokeFunction"
SOURCES = (resource_types.EVENT_RULE, resource_types.TOPIC, *resource_types.BUCKETS, *resource_types.ALARMS)
"""Resources on whose behalf services invoke functions."""


@dataclass(frozen=True)
class Caller:
    """A service that invokes a function, and the resource on whose behalf it does so."""

    service: str
    """Such as `events.amazonaws.com`."""
    source_service: str
    """The service in the ARN of the source, such as `events`."""
    noun: str
    """The kind of source in messages, such as `rule`."""
    source: Resource | None
    """The source; None where it is not in this stack."""
    arn: str | None
    """ARN of the source; None while unknown."""


def denial_reason(stack: Stack, called: Any, to: Resource, caller: Caller) -> str | None:
    """Why a caller may not invoke a function or alias; None where it may. `called` is the value that refers to it.

    Raises Undecided where an unknown value decides.
    """
    function = (
        stack.target(to, "functionName", resource_types.FUNCTION) if to.type == resource_types.FUNCTION_ALIAS else to
    )
    if function is None:
        values.raise_undecided("an alias of a function elsewhere")
    qualifier = (
        to.props.get("name", values.UNKNOWN) if to.type == resource_types.FUNCTION_ALIAS else _qualifier_in(called)
    )
    places = tuple(dict.fromkeys((function, to)))
    permissions = [stack.referring(place, "function", resource_types.FUNCTION_PERMISSION) for place in places]
    documents = [stack.referring(place, "resourceArn", resource_types.FUNCTION_POLICY) for place in places]
    about = [permission for place in places for permission in _permissions_for(stack, place, caller)]
    if any_of(about, lambda permission: _permits(permission, stack, caller, qualifier)):
        return None
    if function.external or any(policy.undecided or policy.certain for policy in documents):
        values.raise_undecided("a permission may be elsewhere")
    if any(referring.undecided for referring in permissions):
        values.raise_undecided("a permission may be elsewhere")
    names = ", ".join(dict.fromkeys(permission.name for referring in permissions for permission in referring.certain))
    if not names:
        return f"{function.name} has no Permission"
    return f"no Permission of {function.name} is for {caller.service} and this {caller.noun} (found: {names})"


def advice(to: Resource, caller: Caller) -> str:
    """The permission to add."""
    return (
        f"Add a Permission for {to.name} with action {INVOKE}, principal {caller.service} and the ARN of the "
        f"{caller.noun} as sourceArn."
    )


def _permissions_for(stack: Stack, function: Resource, caller: Caller) -> list[Resource]:
    """The permissions of a function that may apply to this source."""
    by_source: Mapping[str, list[Resource]] = stack.memoize(_permissions_by_source, function)
    if caller.arn is None and caller.source is None:
        return [permission for permissions in by_source.values() for permission in permissions]
    own = caller.source.urn if caller.source is not None else ""
    if caller.arn is None:
        # At a preview, a literal ARN may be that of the source.
        return [*by_source.get(own, ()), *stack.memoize(_permissions_with_literal_source, function)]
    return [permission for key in dict.fromkeys(("", caller.arn, own)) for permission in by_source.get(key, ())]


def _permissions_with_literal_source(stack: Stack, function: Resource) -> list[Resource]:
    """The permissions whose source is not known to be a resource of this stack."""
    by_source = stack.memoize(_permissions_by_source, function)
    return [
        permission
        for source, permissions in by_source.items()
        if not source.startswith("urn:")
        for permission in permissions
    ]


def _permissions_by_source(stack: Stack, function: Resource) -> dict[str, list[Resource]]:
    """The permissions by the ARN or URN of their source; under an empty string those for no or several sources."""
    by_source: dict[str, list[Resource]] = {}
    for permission in stack.referring(function, "function", resource_types.FUNCTION_PERMISSION).certain:
        source_arn = permission.value("sourceArn")
        source = source_arn if isinstance(source_arn, str) and not {"*", "?"} & set(source_arn) else ""
        if isinstance(source_arn, Mark):
            source = getattr(_source(stack, permission), "urn", "")
        by_source.setdefault(source, []).append(permission)
    return by_source


def _source(stack: Stack, permission: Resource) -> Resource | None:
    try:
        return stack.target(permission, "sourceArn", *SOURCES)
    except Undecided:
        return None


def _permits(permission: Resource, stack: Stack, caller: Caller, called: str | Mark | None) -> bool:
    if permission.text("principal") not in (caller.service, "*"):
        return False
    if not policy_documents.matches(permission.text("action") or "", INVOKE):
        return False
    allowed = _qualifier_of(permission)
    if allowed != called:
        if isinstance(allowed, Mark) or isinstance(called, Mark):
            values.raise_undecided("which version or alias")
        return False
    return _is_for_account(permission, caller) and _is_for_source(permission, stack, caller)


def _is_for_account(permission: Resource, caller: Caller) -> bool:
    """Whether a permission is not for another account than the source's."""
    source_arn = arns.parse(caller.arn or "")
    wanted = permission.value("sourceAccount")
    return not (source_arn and source_arn.account and isinstance(wanted, str)) or wanted == source_arn.account


def _is_for_source(permission: Resource, stack: Stack, caller: Caller) -> bool:
    if not permission.has("sourceArn"):
        return True
    source_arn = permission.value("sourceArn")
    if isinstance(source_arn, str):
        return _may_be_source(source_arn, caller) if caller.arn is None else wildcards.matches(source_arn, caller.arn)
    source = stack.target(permission, "sourceArn", *SOURCES)
    if source is None or caller.source is None:
        values.raise_undecided("the source of a permission")
    return source is caller.source


def _may_be_source(source_arn: str, caller: Caller) -> bool:
    """False where an ARN is of another service than the source; otherwise raises Undecided."""
    arn = arns.parse(source_arn)
    if arn is not None and arn.service not in (caller.source_service, "*"):
        return False
    return values.raise_undecided(f"the ARN of the {caller.noun} is not known yet")


def _qualifier_of(permission: Resource) -> str | Mark | None:
    """The version or alias that a permission is for; None for the function itself."""
    if permission.has("qualifier"):
        return permission.value("qualifier")
    return _qualifier_in(permission.value("function"))


def _qualifier_in(value: Any) -> str | Mark | None:
    if not isinstance(value, str):
        return values.UNKNOWN
    reference = arns.parse_function(value)
    return reference[1] if reference else None
