"""Evaluates whether a trust policy restricts the tokens of an identity provider to an owner.

For a provider with many customers, a claim must have the complete name: `repo:acme*` also matches the owner acme-2,
which anyone can register, so the separator after the name is part of it
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from ...model.values import any_of
from . import conditions
from .conditions import Condition, Test, Tests

_END = "\x00"
"""Marks the end of a value without wildcards."""


def _prefix_test(pattern: str) -> Test:
    """Make a test of a claim up to its first wildcard. `$` matches a separator or the end."""
    named = re.compile(pattern.replace("$", f"[:/{_END}]"))

    def names(claim: str) -> bool:
        fixed = re.split(r"[*?]|\$\{", claim, maxsplit=1)[0]
        return named.match(fixed if fixed != claim else claim + _END) is not None

    return names


_COMPLETE: Test = conditions.is_fixed
_OWNER = _prefix_test(r"[^/:\x00]+/")
_REPOSITORIES: Mapping[str, Test] = {
    "sub": _prefix_test(
        r"(?:.*:)?(?:(?:repo|repository|job_workflow_ref):[^/:\x00]+/"
        r"|(?:repository_owner|repository_owner_id|repository_id|enterprise|enterprise_id):[^:/\x00]+$)"
    ),
    "repository": _OWNER,
    "job_workflow_ref": _OWNER,
    **dict.fromkeys(
        ("repository_owner", "repository_owner_id", "repository_id", "enterprise", "enterprise_id"), _COMPLETE
    ),
}
"""Claims of GitHub (https://docs.github.com/en/actions/reference/security/oidc)."""


@dataclass(frozen=True)
class Provider:
    """An identity provider."""

    claims: Mapping[str, Test]
    """The claims that identify a customer, the usual one first, each with the test of its values."""
    example: str
    """A value of the usual claim."""


def _by_subject(pattern: str, example: str, **others: Test) -> Provider:
    return Provider({"sub": _prefix_test(pattern), **others}, example)


_APPLICATION: Mapping[str, Test] = {"app_id": _COMPLETE, "user_id": _COMPLETE, "id": _COMPLETE}
MULTI_TENANT_PROVIDERS: Mapping[str, Provider] = {
    "token.actions.githubusercontent.com": Provider(_REPOSITORIES, "repo:OWNER/REPOSITORY:*"),
    "vstoken.actions.githubusercontent.com": Provider(_REPOSITORIES, "repo:OWNER/REPOSITORY:*"),
    "oidc-configuration.audit-log.githubusercontent.com": _by_subject(
        r"https://[^/\x00]+/[^/:\x00]+$", "https://github.com/ENTERPRISE"
    ),
    "gitlab.com": _by_subject(
        r"project_path:[^/:\x00]+/",
        "project_path:GROUP/PROJECT:*",
        project_path=_OWNER,
        namespace_path=_prefix_test(r"[^/:\x00]+$"),
        project_id=_COMPLETE,
        namespace_id=_COMPLETE,
    ),
    "app.terraform.io": _by_subject(
        r"organization:[^:/\x00]+$",
        "organization:ORGANIZATION:*",
        terraform_organization_id=_COMPLETE,
        terraform_organization_name=_COMPLETE,
        terraform_workspace_id=_COMPLETE,
    ),
    "agent.buildkite.com": _by_subject(
        r"organization:[^:/\x00]+$",
        "organization:ORGANIZATION:pipeline:PIPELINE:*",
        organization_slug=_COMPLETE,
        organization_id=_COMPLETE,
        pipeline_id=_COMPLETE,
    ),
    "api.pulumi.com/oidc": _by_subject(
        r"pulumi:(?:[^\x00]*:)?org:[^:/\x00]+$",
        "pulumi:deploy:org:ORGANIZATION:*",
        aud=_COMPLETE,
    ),
    "oidc.vercel.com": _by_subject(
        r"owner:[^:/\x00]+$", "owner:TEAM:project:PROJECT:*", aud=_COMPLETE, owner_id=_COMPLETE
    ),
    "scalr.io": _by_subject(r"account:[^:/\x00]+$", "account:ACCOUNT:*"),
    "oidc.codefresh.io": _by_subject(r"account:[^:/\x00]+$", "account:ACCOUNT:*"),
    "proidc.upbound.io": _by_subject(r"mcp:[^:/\x00]+/", "mcp:ORGANIZATION/CONTROL-PLANE:*"),
    "tokens.cloud.shisho.dev": _by_subject(r"job:[^:/\x00]+$", "job:ORGANIZATION:*"),
    "studio.datachain.ai/api": _by_subject(r"credentials:[^:/\x00]+$", "credentials:OWNER/*"),
    "cognito-identity.amazonaws.com": Provider({"aud": _COMPLETE, "sub": _COMPLETE}, "the id of the identity pool"),
    "accounts.google.com": Provider(
        dict.fromkeys(("aud", "oaud", "azp", "sub", "id"), _COMPLETE), "the client id of the application"
    ),
    "www.amazon.com": Provider(_APPLICATION, "the id of the application"),
    "graph.facebook.com": Provider(_APPLICATION, "the id of the application"),
}
"""Providers of which anyone can get a token."""
_CLUSTER = Provider(
    {"sub": lambda claim: conditions.has_text(re.sub(r"[*?:]", "", claim.removeprefix("system:serviceaccount")))},
    "system:serviceaccount:NAMESPACE:NAME",
)
"""An EKS cluster, each of whose pods can get a token for any audience
(https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html)."""
_CLUSTERS = re.compile(r"oidc\.eks\..+")
_SHARED_AUDIENCES = frozenset({"sts.amazonaws.com", "sts.amazonaws.com.cn", "aws.workload.identity"})
"""Audiences that every token for AWS has."""


def issuer_of(provider: str) -> str:
    """The issuer of a Federated principal, which is the ARN of an OIDC provider or a well-known name."""
    return (provider.partition("oidc-provider/")[2] or provider).rstrip("/")


def names_owner(provider: str, listed: Iterable[Condition]) -> bool:
    """Whether one of these conditions restricts the tokens of a provider to an owner.

    Raises Undecided where an unknown value decides.
    """
    return any_of(
        conditions.limiting_conditions(listed), partial(conditions.has_fixed_values, tests=claim_tests(provider))
    )


def claim_tests(provider: str) -> Tests:
    """Make a function that returns the test for the key of a claim."""
    issuer = issuer_of(provider).lower()
    known = _known(issuer)

    def test(key: str) -> Test | None:
        of, _, claim = key.rpartition(":")
        if of.rstrip("/") != issuer:
            return None
        return known.claims.get(claim) if known else _is_own_audience if claim == "aud" else _has_complete_part

    return test


def owner_claim_example(provider: str) -> tuple[str, str]:
    """The condition key that a trust policy should have, and an example of its value."""
    issuer = issuer_of(provider)
    known = _known(issuer.lower())
    return f"{issuer}:{next(iter(known.claims)) if known else 'sub'}", known.example if known else "the subject"


def _known(issuer: str) -> Provider | None:
    return _CLUSTER if _CLUSTERS.fullmatch(issuer) else MULTI_TENANT_PROVIDERS.get(issuer)


def _is_own_audience(claim: str) -> bool:
    return claim not in _SHARED_AUDIENCES and _has_complete_part(claim)


def _has_complete_part(claim: str) -> bool:
    """Whether a value has a complete part, which is enough where the issuer has one customer.

    `team/` is one; `project_path:` is only the name of a claim.
    """
    return conditions.is_fixed(claim) or _PART(claim)


_PART = _prefix_test(r"(?:\w+:)?+[:/]*[^:/|@,}\x00]+[:/|@,}\x00]")
