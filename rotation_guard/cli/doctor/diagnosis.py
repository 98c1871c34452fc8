"""Examines all links of a deployment, as many at once as there are connections."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from ..aws import CONNECTIONS
from ..deployment import Deployment, check_credentials
from ..terminal import progress
from . import (
    alarms,
    audit_runs,
    canary,
    functions,
    hub_bus,
    integrations,
    keys,
    permissions,
    queues,
    rules,
    schedules,
    security_hub,
    stored_reports,
    tables,
    topics,
    trail,
    versions,
    workflow,
)
from .aws_reader import AwsReader
from .examination import Examination
from .link import VERDICTS, Check, Link

SUBJECTS: Sequence[Callable[[Examination], Iterable[Check]]] = (
    trail.list_checks,
    rules.list_checks,
    queues.list_checks,
    topics.list_checks,
    keys.list_checks,
    schedules.list_checks,
    audit_runs.list_checks,
    canary.list_checks,
    stored_reports.list_checks,
    security_hub.list_checks,
    integrations.list_checks,
    hub_bus.list_checks,
    functions.list_checks,
    permissions.list_checks,
    tables.list_checks,
    alarms.list_checks,
    workflow.list_checks,
    versions.list_checks,
)
"""In the order in which an event passes them."""


def diagnose(deployment: Deployment, now: datetime) -> list[Link]:
    """Every link, the broken ones first. Raises CommandError if AWS cannot be reached, or is another account's."""
    caller_arn = check_credentials(deployment)
    examination = Examination(
        deployment,
        AwsReader(deployment.session),
        partition=caller_arn.split(":")[1],
        region=deployment.regions[0],
        account=deployment.accounts[0],
        now=now,
    )
    checks = [check for list_checks in SUBJECTS for check in list_checks(examination)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        links = []
        for link in pool.map(Check.run, checks):
            links.append(link)
            progress.update(f"Examined {len(links)} of {len(checks)} links")
    return sorted(links, key=lambda link: VERDICTS.index(link.verdict))
