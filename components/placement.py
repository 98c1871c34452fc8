"""Where a stack is deployed, as far as a program knows it without a lookup, and what has to be there as well."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pulumi

from .settings.checks import KeyFormatter, format_name, format_value

PROVIDER = "aws:index/provider:Provider"
"""What a resource is asked for its provider by."""
OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")
"""How the names of Regions begin that are in no commercial partition
(https://docs.aws.amazon.com/general/latest/gr/rande.html)."""
WITHOUT_LOOP_DETECTION = ("mx-central-1", "ap-southeast-6")
"""Commercial Regions in which Lambda detects no recursive loops, so that there is nothing to configure
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html#invocation-recursion-regions)."""
POWERTOOLS_ACCOUNT = "017000801446"
"""Who publishes Powertools for Python in the commercial Regions
(https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/)."""
POWERTOOLS_ACCOUNTS = {
    "cn-north-1": "498634801083",
    "us-gov-east-1": "165087284144",
    "us-gov-west-1": "165093116878",
}
"""The publisher elsewhere, by Region; Regions of other partitions that are not listed have none."""
REGIONAL = {
    "powertools_layer_arn": "Lambda takes layers of its own Region alone",
    "kms_key_arn": "queues and topics use keys of their own Region alone",
}
"""Single ARNs among the settings that tell the stack's Region, each with why."""
SUBSCRIBED_BY_OWNER = "the owner of an endpoint elsewhere has to subscribe it"
"""SNS subscribes a queue or a function of another account for its owner alone
(https://docs.aws.amazon.com/sns/latest/dg/sns-send-message-to-sqs-cross-account.html)."""
EMULATOR_ACCOUNT = "000000000000"
"""Of emulators, in which a stack is tried with the endpoints of its real account; no account at AWS has it."""
WITH_ARN = ("sqs", "lambda", "application", "firehose")
"""Protocols whose endpoints are resources of an account and a Region."""


class Placement(NamedTuple):
    """The Region and the account of a stack."""

    region: str | None = None
    """None where only the deployment can tell."""
    accounts: frozenset[str] = frozenset()
    """Those that it may be; none where only the deployment can tell."""
    default_tags: frozenset[str] = frozenset()
    """Keys of the tags that the provider adds to every resource."""


def find_placement(provider: pulumi.ProviderResource | None) -> Placement:
    """Where the default provider deploys to, by its configuration; of a provider of the program's own, nothing.

    (https://www.pulumi.com/registry/packages/aws/installation-configuration/)
    """
    if provider is not None:
        return Placement()
    config = pulumi.Config("aws")
    region = config.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return Placement(region or None, _read_accounts(config), _read_default_tags(config))


def _read_accounts(config: pulumi.Config) -> frozenset[str]:
    """The account of the role that the provider assumes, the last one of several, or those that it is allowed."""
    roles = config.get_object("assumeRoles") or [config.get_object("assumeRole")]
    role = roles[-1] if isinstance(roles, list) else None
    account = _read_account(role.get("roleArn")) if isinstance(role, Mapping) else ""
    allowed = config.get_object("allowedAccountIds") or []
    # YAML takes an account without quotes for a number, and drops its zeros.
    return frozenset([account] if account else (f"{account_id:0>12}" for account_id in allowed))


def _read_default_tags(config: pulumi.Config) -> frozenset[str]:
    default_tags = config.get_object("defaultTags")
    tags = default_tags.get("tags") if isinstance(default_tags, Mapping) else None
    return frozenset(map(str, tags)) if isinstance(tags, Mapping) else frozenset()


def find_provider(opts: pulumi.ResourceOptions | None) -> pulumi.ProviderResource | None:
    """The provider for AWS that a component gets by these options; None for the default one."""
    if opts is None:
        return None
    several: Any = opts.providers or []
    listed = several.values() if isinstance(several, Mapping) else several if isinstance(several, list) else [several]
    for provider in (opts.provider, *listed):
        if isinstance(provider, pulumi.ProviderResource) and provider.package == "aws":
            return provider
    return opts.parent.get_provider(PROVIDER) if opts.parent else None


def find_region(provider: pulumi.ProviderResource | None, args: Mapping[str, Any]) -> str | None:
    """The stack's Region: of the provider, or of one of these settings that must be in it; None if unknown."""
    regions = (_read_place(args.get(setting))[0] for setting in REGIONAL)
    return find_placement(provider).region or next(filter(None, regions), None)


def is_commercial(region: str) -> bool:
    """Whether a Region is in the partition `aws`."""
    return not region.startswith(OTHER_PARTITIONS)


def detects_loops(region: str | None) -> bool:
    """Whether Lambda detects recursive loops in this Region; taken for granted where it is not known."""
    return region is None or (is_commercial(region) and region not in WITHOUT_LOOP_DETECTION)


def find_powertools_account(region: str) -> str | None:
    """The account that publishes the layer with Powertools in this Region; None where there is none."""
    return POWERTOOLS_ACCOUNT if is_commercial(region) else POWERTOOLS_ACCOUNTS.get(region)


def complain_about_placement(
    args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str], placement: Placement
) -> Iterator[str]:
    """What is not in the stack's account and Region, and would fail there, or what they ask for and is not there.

    The settings have been checked by themselves before; what is no ARN is left out.
    """
    for setting, reason in REGIONAL.items():
        region = _read_place(args.get(setting))[0]
        if region and placement.region and region != placement.region:
            given = "a secret value" if setting in secret_settings else format_value(args[setting])
            yield f"{format_key(setting)} must be in the stack's Region, {placement.region}, as {reason}, got {given}"
    has_layer = args.get("powertools_layer_arn") is not None
    if placement.region and find_powertools_account(placement.region) is None and not has_layer:
        yield (
            f"{format_key('powertools_layer_arn')} must be given in {placement.region}, where no layer with "
            "Powertools is published, got nothing"
        )
    yield from _complain_about_endpoints(
        args.get("subscriptions"), format_key, "subscriptions" in secret_settings, placement
    )
    yield from _complain_about_default_tags(args.get("tags"), format_key, placement)


def complain_about_regions(arns: Mapping[str, Any], placement: Placement) -> Iterator[str]:
    """Which of these ARNs, by their paths, are not in the stack's Region; where that is not known, not in the first's.

    What EventBridge sends to, alarms ring and functions write to is in their own Region
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html,
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html). A table is found by
    its name alone, so it is in the stack's account as well.
    """
    first: tuple[str, str] | None = None
    for path, arn in arns.items():
        region, account = _read_place(arn)
        if not region:
            continue
        if placement.region and region != placement.region:
            yield f"{path} must be in the stack's Region, {placement.region}, got {format_value(arn)}"
        elif first and region != first[1]:
            yield f"{path} must be in the Region of {first[0]}, {first[1]}, as both have to be, got {format_value(arn)}"
        elif path.endswith("table_arn") and placement.accounts and account not in placement.accounts:
            accounts = " or ".join(sorted(placement.accounts))
            yield f"{path} must be in the stack's account, {accounts}, got {format_value(arn)}"
        first = first or (path, region)


def _complain_about_default_tags(tags: Any, format_key: KeyFormatter, placement: Placement) -> Iterator[str]:
    """Which tags IAM takes for one with a tag of the provider
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html); the same key again is in its place."""
    known = {key.lower(): key for key in placement.default_tags}
    for key in tags if isinstance(tags, Mapping) else ():
        other = known.get(str(key).lower(), key)
        if other != key:
            yield (
                f"{format_key('tags')}.{format_name(str(key))} must differ in more than case from {format_name(other)} "
                "in aws:defaultTags, as IAM takes them for one, got both"
            )


def require_same_place(topic_arn: str, endpoint: str, subscription: str) -> str:
    """The topic's ARN, once it is known where the endpoint is; raises RunError where SNS would not subscribe it."""
    region, account = _read_place(topic_arn)
    other_region, other_account = _read_place(endpoint)
    is_elsewhere = other_region != region or (other_account != account and account != EMULATOR_ACCOUNT)
    if other_region and is_elsewhere:
        # The endpoint may be secret.
        raise pulumi.RunError(
            f"the endpoint of {subscription} must be in the account and Region of its topic, {account} and {region}, "
            f"because {SUBSCRIBED_BY_OWNER}, got one that is not"
        )
    return topic_arn


def _complain_about_endpoints(
    subscriptions: Any, format_key: KeyFormatter, is_hidden: bool, placement: Placement
) -> Iterator[str]:
    """Which endpoints are elsewhere than the stack; where that is not known, elsewhere than the first of them."""
    first: tuple[str, tuple[str, str]] | None = None
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, (list, tuple)) else ()):
        if not isinstance(subscription, Mapping) or subscription.get("protocol") not in WITH_ARN:
            continue
        endpoint, path = subscription.get("endpoint"), f"{format_key('subscriptions')}[{index}].endpoint"
        region, account = place = _read_place(endpoint)
        allowed = None
        if not region:
            continue
        if placement.region and region != placement.region:
            allowed = f"in the stack's Region, {placement.region}"
        elif placement.accounts and account not in placement.accounts:
            allowed = f"in the stack's account, {' or '.join(sorted(placement.accounts))}"
        elif first and place != first[1]:
            where = "" if is_hidden else f", {first[1][1]} and {first[1][0]}"
            allowed = f"in the account and Region of {first[0]}{where}, as both have to be in the stack's"
        if allowed:
            given = "a secret value" if is_hidden else format_value(endpoint)
            yield f"{path} must be {allowed}, because {SUBSCRIBED_BY_OWNER}, got {given}"
        elif first is None:
            first = path, place


def _read_account(arn: Any) -> str:
    """The account in an ARN, also in one without a Region; empty for what is none."""
    parts = arn.split(":", 5) if isinstance(arn, str) else []
    return parts[4] if len(parts) == 6 and parts[0] == "arn" else ""


def _read_place(arn: Any) -> tuple[str, str]:
    """Region and account of an ARN; empty for what is none."""
    parts = arn.split(":", 5) if isinstance(arn, str) else []
    return (parts[3], parts[4]) if len(parts) == 6 and parts[0] == "arn" else ("", "")
