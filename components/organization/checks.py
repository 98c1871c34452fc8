"""Which senders a hub may admit, and what has to be where a hub or a member is."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from ..placement import complain_about_placement, complain_about_regions, find_placement, find_provider
from ..settings.checks import distinct_entries, must_be
from ..settings.cross_field import CROSS_FIELD_CHECKS
from ..settings.name_lengths import complain_about_subscription_names
from ..settings.validation import InvalidSettings

MOST_ACCOUNTS = 200
"""The policy of a bus has at most 10,240 bytes
(https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html)."""
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII)
"""(https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html)"""
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_check_accounts = distinct_entries(
    "an account of 12 digits, in quotes", lambda value: isinstance(value, str) and bool(_ACCOUNT.fullmatch(value))
)


def refuse_invalid_hub(name: str, args: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
    """Raises InvalidSettings for senders that a hub cannot admit, settings that contradict each other or its place."""
    complaints = [
        *_complain_about_senders(args),
        *_complain_about_place(args, opts),
        *complain_about_subscription_names(name, args.get("subscriptions"), str),
    ]
    for check in CROSS_FIELD_CHECKS:
        complaints += check(args, str, frozenset())
    if complaints:
        raise InvalidSettings(complaints)


def refuse_invalid_member(args: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
    """Raises InvalidSettings for what is not in the member's account and Region, and has to be."""
    complaints = list(_complain_about_place(args, opts))
    if complaints:
        raise InvalidSettings(complaints)


def _complain_about_place(args: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> Iterator[str]:
    placement, runtime = find_placement(find_provider(opts)), args.get("runtime", {})
    of_runtime = {name: f"runtime.{name}" for name in ("powertools_layer_arn", *runtime) if name not in args}
    yield from complain_about_placement(
        {**runtime, **args}, lambda name: of_runtime.get(name, name), frozenset(), placement
    )
    yield from complain_about_regions({"alarms_topic_arn": args.get("alarms_topic_arn")}, placement)


def _complain_about_senders(args: Mapping[str, Any]) -> Iterator[str]:
    organization, accounts = args.get("organization_id"), args.get("member_accounts", [])
    if organization is None and not accounts:
        yield "organization_id must be given, or member_accounts, to say which accounts may send events, got neither"
    if organization is not None and not _ORGANIZATION.fullmatch(organization):
        yield "organization_id" + must_be("the id of an organisation, such as o-a1b2c3d4e5", organization)
    yield from ("member_accounts" + message for message in _check_accounts(str, accounts))
    if len(accounts) > MOST_ACCOUNTS:
        limit = f"at most {MOST_ACCOUNTS} accounts, as a bus's policy holds them; organization_id admits any number"
        yield f"member_accounts must be {limit}, got {len(accounts)}"
