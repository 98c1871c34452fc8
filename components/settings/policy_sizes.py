"""Whether the lists among the settings fit into the policies of roles and queues that they end in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi

from ..iam_policies import Statement, fed_by_rules, write_function_policy
from ..remediation import permissions
from .checks import KeyFormatter, known_strings
from .declarations import ARN_LISTS
from .name_lengths import ADDED_BY_PULUMI

MOST_CHARACTERS = 10_240
"""Of all inline policies of a role, white space not counted
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
MOST_QUEUE_POLICY_BYTES = 8192
"""(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html)."""
_POLICIES = {
    "probe": ("probe_functions",),
    "retry": ("rotation_functions",),
    "restart": ("restart_role_arns", "restart_targets"),
    "watch": ("restart_targets",),
}
"""The steps of remediation whose roles take in a list, or two."""
_DEMO = {"probe_functions": "demo-probe", "rotation_functions": "demo-rotation"}
"""The functions that the demo adds."""
_ROUTES = ("failed", "stuck", "stalled", "service", "calls", "labels", "success", "moved")
"""The component's own rules."""
_SHORT_REGION = "eu-west-1"
_LONGEST_PLACE = ("aws-us-gov", "ap-southeast-1", "1" * 12)


def count_characters(policy: str) -> int:
    """The characters of a policy document as IAM counts them."""
    return len(re.sub(r"\s", "", policy))


def require_fitting_policy(policy: str, role: str) -> str:
    """The policy of a role, once all of it is known; raises RunError where IAM would refuse it."""
    characters = count_characters(policy)
    if characters > MOST_CHARACTERS:
        raise pulumi.RunError(
            f"the policy of {role} must be at most {MOST_CHARACTERS} characters, with fewer ARNs, got {characters}"
        )
    return policy


def complain_about_policy_sizes(
    component: str, args: Mapping[str, Any], format_key: KeyFormatter, secret_settings: frozenset[str]
) -> Iterator[str]:
    """Which lists are too long for the policies that a component of this name makes of them.

    The lists have been checked by themselves before. Entries that are known only later are left to the deployment.
    """
    lists = {setting: list(known_strings(args.get(setting, []))) for setting in ARN_LISTS}
    place = _find_place(lists)
    for setting, role in _DEMO.items():
        if args.get("demo") is True:
            lists[setting].append(_write_arn(place, "lambda", f"function:{_lengthen(component, role)}"))
    for step, settings in _POLICIES.items():
        characters = count_characters(_write_policy(step, component, place, lists, args.get("kms_key_arn")))
        if characters > MOST_CHARACTERS:
            longest, *others = sorted(settings, key=lambda setting: -sum(map(len, lists[setting])))
            together = f", with {' and '.join(map(format_key, others))}," if others else ""
            given = "a secret value" if not secret_settings.isdisjoint(settings) else characters
            limit = f"at most {MOST_CHARACTERS} characters as a role's policy holds them"
            yield f"{format_key(longest)} must be{together} {limit}, got {given}"


def complain_about_queue_policy(
    component: str,
    args: Mapping[str, Any],
    format_key: KeyFormatter,
    secret_settings: frozenset[str],
    region: str | None,
) -> Iterator[str]:
    """Whether the policy of the dead letters holds all rules of a component of this name, the extra ones among them.

    Where the Region is not known it counts as one with a short name.
    """
    extra = args.get("extra_rules") or ()
    place = ("aws", region or _SHORT_REGION, "1" * 12)
    routes = [*_ROUTES, *(f"extra-{rule['name']}" for rule in extra)]
    rules = [_write_arn(place, "events", f"rule/{_lengthen(component, f'events-{route}')}") for route in routes]
    queue = _write_arn(place, "sqs", _lengthen(component, "events-dead-letters"))
    size = len(fed_by_rules(queue, rules).encode())
    if extra and size > MOST_QUEUE_POLICY_BYTES:
        given = "a secret value" if "extra_rules" in secret_settings else size
        limit = f"at most {MOST_QUEUE_POLICY_BYTES} bytes as the policy of their queue names them"
        yield f"{format_key('extra_rules')} must be {limit}, got {given}"


def _write_policy(step: str, component: str, place: Sequence[str], lists: Mapping[str, list[str]], key: Any) -> str:
    """The policy of a step's role, as the component of this name will make it."""
    incidents = _write_arn(place, "dynamodb", f"table/{_lengthen(component, 'repair-incidents')}")
    switch = _write_arn(place, "ssm", f"parameter/{_lengthen(component, 'repair-kill-switch')}")
    targets = lists["restart_targets"]
    statements: Mapping[str, list[Statement]] = {
        "probe": permissions.probe(lists["probe_functions"]),
        "retry": permissions.retry(place, incidents, lists["rotation_functions"]),
        "restart": permissions.restart(place, incidents, switch, targets, lists["restart_role_arns"]),
        "watch": permissions.watch(place, incidents, targets),
    }
    log_group = _write_arn(place, "logs", f"log-group:/aws/lambda/{_lengthen(component, f'repair-{step}')}")
    return write_function_policy(statements[step], log_group, None, key if isinstance(key, str) else None)


def _find_place(lists: Mapping[str, list[str]]) -> Sequence[str]:
    """Partition, Region and account of one of these, which are those of the stack; the longest where none tells."""
    for setting in ("rotation_functions", "probe_functions", "restart_targets"):
        for arn in lists[setting]:
            _, partition, _, region, account, _ = arn.split(":", 5)
            if account:
                return partition, region, account
    return _LONGEST_PLACE


def _write_arn(place: Sequence[str], service: str, resource: str) -> str:
    partition, region, account = place
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def _lengthen(component: str, role: str) -> str:
    """A physical name of the length that it will have."""
    return f"{component}-{role}{'x' * ADDED_BY_PULUMI}"
