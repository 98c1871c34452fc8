"""Decides whether a trust policy says whose tokens it takes from an identity provider.

Of a provider that serves everybody, a claim has to name its customer whole: `repo:acme*` is also true of the owner
acme-2, which anybody can register, so the separator behind the name belongs to it
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
"""Stands behind a value that has no wildcard."""


def _beginning(pattern: str) -> Test:
    """A test of what is fixed of a claim, up to its first wildcard. `$` stands for a separator or the end."""
    named = re.compile(pattern.replace("$", f"[:/{_END}]"))

    def names(claim: str) -> bool:
        fixed = re.split(r"[*?]|\$\{", claim, maxsplit=1)[0]
        return named.match(fixed if fixed != claim else claim + _END) is not None

    return names


_WHOLE: Test = conditions.is_fixed
_OWNER = _beginning(r"[^/:\x00]+/")
_REPOSITORIES: Mapping[str, Test] = {
    "sub": _beginning(
        r"(?:.*:)?(?:(?:repo|repository|job_workflow_ref):[^/:\x00]+/"
        r"|(?:repository_owner|repository_owner_id|repository_id|enterprise|enterprise_id):[^:/\x00]+$)"
    ),
    "repository": _OWNER,
    "job_workflow_ref": _OWNER,
    **dict.fromkeys(
        ("repository_owner", "repository_owner_id", "repository_id", "enterprise", "enterprise_id"), _WHOLE
    ),
}
"""Claims of GitHub (https://docs.github.com/en/actions/reference/security/oidc)."""


@dataclass(frozen=True)
class Provider:
    """What is known of an identity provider."""

    claims: Mapping[str, Test]
    """The claims that name a customer, the usual first, each with the test of a value that does."""
    example: str
    """A value of the usual one."""


def _by_subject(pattern: str, example: str, **others: Test) -> Provider:
    return Provider({"sub": _beginning(pattern), **others}, example)


_APPLICATION: Mapping[str, Test] = {"app_id": _WHOLE, "user_id": _WHOLE, "id": _WHOLE}
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
        namespace_path=_beginning(r"[^/:\x00]+$"),
        project_id=_WHOLE,
        namespace_id=_WHOLE,
    ),
    "app.terraform.io": _by_subject(
        r"organization:[^:/\x00]+$",
        "organization:ORGANIZATION:*",
        terraform_organization_id=_WHOLE,
        terraform_organization_name=_WHOLE,
        terraform_workspace_id=_WHOLE,
    ),
    "agent.buildkite.com": _by_subject(
        r"organization:[^:/\x00]+$",
        "organization:ORGANIZATION:pipeline:PIPELINE:*",
        organization_slug=_WHOLE,
        organization_id=_WHOLE,
        pipeline_id=_WHOLE,
    ),
    "api.pulumi.com/oidc": _by_subject(
        r"pulumi:(?:[^\x00]*:)?org:[^:/\x00]+$",
        "pulumi:deploy:org:ORGANIZATION:*",
        aud=_WHOLE,
    ),
    "oidc.vercel.com": _by_subject(r"owner:[^:/\x00]+$", "owner:TEAM:project:PROJECT:*", aud=_WHOLE, owner_id=_WHOLE),
    "scalr.io": _by_subject(r"account:[^:/\x00]+$", "account:ACCOUNT:*"),
    "oidc.codefresh.io": _by_subject(r"account:[^:/\x00]+$", "account:ACCOUNT:*"),
    "proidc.upbound.io": _by_subject(r"mcp:[^:/\x00]+/", "mcp:ORGANIZATION/CONTROL-PLANE:*"),
    "tokens.cloud.shisho.dev": _by_subject(r"job:[^:/\x00]+$", "job:ORGANIZATION:*"),
    "studio.datachain.ai/api": _by_subject(r"credentials:[^:/\x00]+$", "credentials:OWNER/*"),
    "cognito-identity.amazonaws.com": Provider({"aud": _WHOLE, "sub": _WHOLE}, "the id of the identity pool"),
    "accounts.google.com": Provider(
        dict.fromkeys(("aud", "oaud", "azp", "sub", "id"), _WHOLE), "the client id of the application"
    ),
    "www.amazon.com": Provider(_APPLICATION, "the id of the application"),
    "graph.facebook.com": Provider(_APPLICATION, "the id of the application"),
}
"""Providers that anybody can have a token of."""
_CLUSTER = Provider(
    {"sub": lambda claim: conditions.has_text(re.sub(r"[*?:]", "", claim.removeprefix("system:serviceaccount")))},
    "system:serviceaccount:NAMESPACE:NAME",
)
"""A cluster of Kubernetes, each of whose pods can have a token for any audience
(https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html)."""
_CLUSTERS = re.compile(r"oidc\.eks\..+")
_SHARED_AUDIENCES = frozenset({"sts.amazonaws.com", "sts.amazonaws.com.cn", "aws.workload.identity"})
"""Audiences that say that a token is for AWS, and not whose it is."""


def issuer_of(provider: str) -> str:
    """The issuer that a Federated principal names, be it the ARN of an OIDC provider or a well-known one."""
    return (provider.partition("oidc-provider/")[2] or provider).rstrip("/")


def names_owner(provider: str, listed: Iterable[Condition]) -> bool:
    """Whether one of these conditions holds the tokens of a provider to somebody in particular.

    Raises Undecided where nobody can tell.
    """
    return any_of(
        conditions.limiting_conditions(listed), partial(conditions.has_fixed_values, tests=claim_tests(provider))
    )


def claim_tests(provider: str) -> Tests:
    """For the key of a claim that may name an owner, the test of a value that does."""
    issuer = issuer_of(provider).lower()
    known = _known(issuer)

    def test(key: str) -> Test | None:
        of, _, claim = key.rpartition(":")
        if of.rstrip("/") != issuer:
            return None
        return known.claims.get(claim) if known else _is_own_audience if claim == "aud" else _names_a_part

    return test


def owner_claim_example(provider: str) -> tuple[str, str]:
    """The key that a trust policy should ask for, and an example of its value."""
    issuer = issuer_of(provider)
    known = _known(issuer.lower())
    return f"{issuer}:{next(iter(known.claims)) if known else 'sub'}", known.example if known else "the subject"


def _known(issuer: str) -> Provider | None:
    return _CLUSTER if _CLUSTERS.fullmatch(issuer) else MULTI_TENANT_PROVIDERS.get(issuer)


def _is_own_audience(claim: str) -> bool:
    return claim not in _SHARED_AUDIENCES and _names_a_part(claim)


def _names_a_part(claim: str) -> bool:
    """Whether some part of a value is named whole, which is enough where the issuer serves one customer.

    `team/` names one; `project_path:` says what it speaks of, and nothing of whom.
    """
    return conditions.is_fixed(claim) or _PART(claim)


_PART = _beginning(r"(?:\w+:)?+[:/]*[^:/|@,}\x00]+[:/|@,}\x00]")
