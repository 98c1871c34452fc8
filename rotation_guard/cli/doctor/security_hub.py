"""Security Hub, which has to be on to take findings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .examination import Examination
from .link import Check, Finding, broken, note


def list_checks(examination: Examination) -> Iterable[Check]:
    """One, for a stack that imports findings; its rule, queue and function are links like others."""
    if not examination.has("unimported_findings_dead_letters_url"):
        return []
    return [Check("security hub", "enabled", (lambda: _check(examination),))]


def judge_hub(hub: Mapping[str, Any] | None, account: str, region: str) -> Iterator[Finding]:
    """Whether an account can import findings in a Region: Security Hub refuses them until it is enabled there.

    (https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html)
    """
    if hub is None:
        yield broken(
            f"Security Hub is not enabled for the account {account} in {region}: it takes no findings.",
            "Run `aws securityhub enable-security-hub`, or ask the administrator of Security Hub in your organization.",
        )
    elif since := hub.get("SubscribedAt"):
        yield note(f"Security Hub is enabled since {since}.")


def _check(examination: Examination) -> Iterator[Finding]:
    hub = examination.read("securityhub:DescribeHub")
    yield from judge_hub(hub, examination.account, examination.region)
