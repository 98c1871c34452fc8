"""The secret that an operator names: by its name, or by its ARN."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rotation_guard.domain.rotation_event import secret_name_of

from .account import Account
from .deployment import Deployment
from .incident_table import IncidentTable
from .problems import Misused

_ARN = re.compile(r"arn:[^:\s]+:secretsmanager:[^:\s]+:[0-9]{12}:secret:\S+")
_LONGEST = 2048


@dataclass(frozen=True)
class NamedSecret:
    """One secret, with what Secrets Manager says of it now."""

    arn: str
    name: str
    described: Mapping[str, Any] | None = None
    """The answer of DescribeSecret; None where the caller may not ask, or the secret is gone."""


def named_secret(text: str, deployment: Deployment, table: IncidentTable) -> NamedSecret:
    """The secret that this text names. Where Secrets Manager does not say, its incidents do."""
    is_arn = text.startswith("arn:")
    if not 0 < len(text) <= _LONGEST or text.isspace() or (is_arn and not _ARN.fullmatch(text)):
        raise Misused(f"SECRET must be the name or the ARN of a secret, got {text[:_LONGEST]!r}.")
    if is_arn:
        _require_same_place(text, deployment)
    described = Account(deployment.way).described(text)
    if described is not None:
        return NamedSecret(described["ARN"], described["Name"], described)
    if is_arn:
        return NamedSecret(text, secret_name_of(text))
    found = table.arns_of(text)
    if not found:
        raise Misused(
            f"SECRET must be the name or the ARN of a secret, got {text!r}, of which neither Secrets Manager nor an "
            "incident tells."
        )
    if len(found) > 1:
        raise Misused(f"{text} has been the name of several secrets, so give the ARN of one: {', '.join(found)}.")
    return NamedSecret(found[0], text)


def _require_same_place(arn: str, deployment: Deployment) -> None:
    """Raise Misused where the ARN is of another account or Region than the deployment, which knows none of its secrets.

    Of outputs that do not tell whose they are, it does not matter.
    """
    region, account = arn.split(":")[3:5]
    for what, named, given in (
        ("account", deployment.accounts, account),
        ("Region", deployment.regions, region),
    ):
        if named and given not in named:
            raise Misused(
                f"SECRET must be of {what} {' or '.join(named)}, as {deployment.description} is, got one of {given}: "
                f"{arn}."
            )
