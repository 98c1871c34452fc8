"""The tokens that a trust policy accepts, with the claims of each provider's documentation.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html lists the claims that
AWS itself asks for of providers that many share.
"""

import pytest

from policies.aws.iam.policy_documents import Statement
from policies.aws.iam.web_identities import issuer_of, names_owner, owner_claim_example

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"  # https://docs.github.com/en/actions/reference/security/oidc
GITLAB = "gitlab.com"  # https://docs.gitlab.com/ci/cloud_services/aws/
TERRAFORM = "app.terraform.io"  # https://developer.hashicorp.com/terraform/cloud-docs/dynamic-provider-credentials/aws-configuration
BUILDKITE = "agent.buildkite.com"  # https://buildkite.com/docs/pipelines/security/oidc/aws
PULUMI = "api.pulumi.com/oidc"  # https://www.pulumi.com/docs/administration/access-identity/oidc-client/aws/
VERCEL = "oidc.vercel.com"  # https://vercel.com/docs/oidc/reference
CIRCLECI = "oidc.circleci.com/org/0f1e2d3c"  # https://circleci.com/docs/openid-connect-tokens/
BITBUCKET = "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc"
CLUSTER = "oidc.eks.eu-west-1.amazonaws.com/id/A1B2"  # https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
COGNITO = "cognito-identity.amazonaws.com"  # https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html
GOOGLE = "accounts.google.com"
AUTH0 = "acme.eu.auth0.com/"
STS = ("StringEquals", "aud", "sts.amazonaws.com")


def names_the_owner(issuer, *claims):
    """Whether a trust policy with these conditions, each of operator, claim and value, names an owner."""
    block = {}
    for operator, claim, value in claims:
        block.setdefault(operator, {})[f"{issuer}:{claim}"] = value
    provider = (
        issuer if "." in issuer and issuer in (COGNITO, GOOGLE) else f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    )
    return names_owner(provider, Statement({"Condition": block}, 0).conditions)


@pytest.mark.parametrize(
    ("issuer", "claim", "value"),
    [
        (GITHUB, "sub", "repo:acme/*"),
        (GITHUB, "sub", "repo:acme/shop-*"),
        (GITHUB, "sub", ["repo:acme/shop:ref:refs/heads/main", "repo:acme/web:*"]),
        (GITHUB, "sub", "repo:acme@123456/shop@456789:*"),
        (GITHUB, "sub", "repository_owner:acme:*"),
        (GITHUB, "sub", "repository_owner_id:123456:repository_id:*"),
        (GITHUB, "sub", "environment:prod:repository_owner:acme:*"),
        (GITHUB, "sub", "job_workflow_ref:acme/flows/.github/workflows/deploy.yml@*"),
        (GITHUB, "repository", "acme/*"),
        (GITHUB, "repository_owner", "acme"),
        (GITHUB, "job_workflow_ref", "acme/flows/*"),
        (GITHUB.upper(), "SUB", "repo:acme/*"),
        (GITLAB, "sub", "project_path:acme/*:ref_type:branch:ref:main"),
        (GITLAB, "sub", "project_path:acme/team/shop:*"),
        (TERRAFORM, "sub", "organization:acme:*"),
        (TERRAFORM, "sub", "organization:acme:project:*:workspace:*:run_phase:*"),
        (BUILDKITE, "sub", "organization:acme:*"),
        (PULUMI, "sub", "pulumi:deploy:org:acme:project:shop:*"),
        (PULUMI, "sub", "pulumi:environments:org:acme:env:*"),
        (PULUMI, "aud", "aws:acme"),
        (VERCEL, "sub", "owner:acme:project:*:environment:production"),
        (VERCEL, "aud", "https://vercel.com/acme"),
        (f"{VERCEL}/acme", "aud", "https://vercel.com/acme"),
        (CIRCLECI, "aud", "0f1e2d3c"),
        (CIRCLECI, "sub", "org/0f1e2d3c/project/*"),
        (BITBUCKET, "aud", "ari:cloud:bitbucket::workspace/0f1e2d3c"),
        (BITBUCKET, "sub", "{0f1e2d3c}:*"),
        (BITBUCKET, "sub", "{0f1e2d3c}*:*"),
        (CLUSTER, "sub", "system:serviceaccount:default:*"),
        (CLUSTER, "sub", "system:serviceaccount:*:external-dns"),
        (COGNITO, "aud", "eu-west-1:0f1e2d3c-0000-4000-8000-000000000000"),
        (GOOGLE, "aud", "66677788899900pro0"),
        (AUTH0, "sub", "auth0|*"),
        (AUTH0, "aud", "https://api.example.com"),
        ("idp.example.com", "aud", "shop"),
        ("idp.example.com", "sub", "team/*"),
        ("sts.windows.net/0f1e2d3c", "aud", "api://shop"),
    ],
)
def test_a_claim_with_the_complete_owner_is_enough(issuer, claim, value):
    assert names_the_owner(issuer, ("StringLike", claim, value), STS)


@pytest.mark.parametrize(
    ("issuer", "claim", "value"),
    [
        (GITHUB, "sub", "*"),
        (GITHUB, "sub", "repo:*"),
        (GITHUB, "sub", "repo:acme*"),
        (GITHUB, "sub", "repo:acme*/*"),
        (GITHUB, "sub", "repo:acme?/shop:*"),
        (GITHUB, "sub", "repo:*/shop:*"),
        (GITHUB, "sub", ["repo:acme/shop:*", "repo:acme*"]),
        (GITHUB, "sub", "repo:acme@*"),
        (GITHUB, "sub", "repository_owner:acme*"),
        (GITHUB, "sub", "*:ref:refs/heads/main"),
        (GITHUB, "sub", "repo:${aws:PrincipalTag/owner}/*"),
        (GITHUB, "repository", "acme*"),
        (GITHUB, "repository_owner", "acme*"),
        # Neither the actor nor the runner of a workflow identifies the repository.
        (GITHUB, "actor", "alice"),
        (GITHUB, "environment", "production"),
        (GITHUB, "ref", "refs/heads/main"),
        (GITHUB, "aud", "https://github.com/acme"),
        (GITLAB, "sub", "project_path:acme*"),
        (GITLAB, "sub", "project_path:*/shop:ref_type:branch:ref:main"),
        (GITLAB, "aud", "https://gitlab.com"),
        (TERRAFORM, "sub", "organization:acme*"),
        (TERRAFORM, "sub", "organization:*:project:shop:*"),
        (TERRAFORM, "aud", "aws.workload.identity"),
        (BUILDKITE, "sub", "organization:acme*"),
        (PULUMI, "sub", "pulumi:deploy:org:acme*"),
        (PULUMI, "aud", "aws:*"),
        (VERCEL, "sub", "owner:acme*"),
        (CIRCLECI, "sub", "*"),
        (BITBUCKET, "sub", "*:*"),
        (CLUSTER, "sub", "system:serviceaccount:*:*"),
        (CLUSTER, "sub", "*"),
        (CLUSTER, "aud", "sts.amazonaws.com"),
        (COGNITO, "aud", "eu-west-1:*"),
        (COGNITO, "amr", "authenticated"),
        (GOOGLE, "aud", "*"),
        ("idp.example.com", "sub", "team*"),
        ("idp.example.com", "sub", "repo:team*"),
        ("idp.example.com", "aud", "sts.amazonaws.com"),
        ("another.example.com", "unheard", "*"),
    ],
)
def test_a_claim_that_others_may_have_is_not_enough(issuer, claim, value):
    assert not names_the_owner(issuer, ("StringLike", claim, value))


@pytest.mark.parametrize(
    "operator", ["StringNotLike", "StringLikeIfExists", "ForAllValues:StringLike", "ForAllValues:StringEqualsIfExists"]
)
def test_an_operator_that_is_true_without_the_claim_is_not_enough(operator):
    assert not names_the_owner(GITHUB, (operator, "sub", "repo:acme/shop"))


def test_claims_of_another_provider_do_not_count():
    conditions = Statement({"Condition": {"StringLike": {f"{GITLAB}:sub": "project_path:acme/*"}}}, 0).conditions
    assert names_owner(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITLAB}", conditions)
    assert not names_owner(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}", conditions)


def test_the_suggested_claim_is_that_of_the_provider():
    assert owner_claim_example(COGNITO)[0] == f"{COGNITO}:aud"
    assert owner_claim_example("graph.facebook.com")[0] == "graph.facebook.com:app_id"
    assert owner_claim_example(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}") == (
        f"{GITHUB}:sub",
        "repo:OWNER/REPOSITORY:*",
    )
    assert issuer_of("arn:aws:iam::111122223333:oidc-provider/acme.eu.auth0.com/") == "acme.eu.auth0.com"
