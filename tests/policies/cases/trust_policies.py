"""Cases of the rules about trust policies."""

from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, allow, policy, program, queue, role, topic

GITHUB = "token.actions.githubusercontent.com"
OURS = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
MACHINES = {"ArnLike": {"aws:SourceArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:*"}}
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
orders = queue("orders")
news = topic("news")


def trusting(principal: object, condition: object = None, action: str = "sts:AssumeRole"):
    """A role with these principals in its trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return role("app", assumeRolePolicy=policy({**statement, "Condition": condition} if condition else statement))


def federated(condition: object, issuer: str = GITHUB):
    """A role with a federated principal."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    return trusting({"Federated": provider}, condition, "sts:AssumeRoleWithWebIdentity")


def service(name: str) -> dict[str, str]:
    return {"Service": f"{name}.amazonaws.com"}


OPEN, TRUSTED = "role-trust-is-not-open", "trusted-service-acts-for-a-known-source"


CASES = [
    # --- role-trust-is-not-open
    Case(OPEN, "typical", "Principal *", program(trusting({"AWS": "*"})), {"app": ("anyone", "Principal *")}),
    Case(
        OPEN,
        "variant",
        "everybody who knows a word",
        program(trusting("*", {"StringEquals": {"sts:ExternalId": "letmein"}})),
        {"app": "with no condition"},
    ),
    Case(
        OPEN,
        "variant",
        "every workflow there is",
        program(federated({"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}})),
        {"app": f"{GITHUB}:sub"},
    ),
    Case(
        OPEN,
        "variant",
        "workflows of any repository",
        program(federated({"StringLike": {f"{GITHUB}:sub": "repo:*"}})),
        {"app": f"{GITHUB}:sub"},
    ),
    *(
        Case(
            OPEN, "variant", what, program(federated({"StringLike": {f"{issuer}:sub": claim}}, issuer)), {"app": issuer}
        )
        for what, issuer, claim in (
            ("a repository of that name, whoever owns it", GITHUB, "repo:*/orders:*"),
            ("one repository, or any", GITHUB, ["repo:shop/orders:*", "repo:*"]),
            ("one branch of any", GITHUB, "*:ref:refs/heads/main"),
            ("any project", "gitlab.com", "project_path:*"),
        )
    ),
    Case(
        OPEN,
        "variant",
        "a condition that holds where there is no such claim",
        program(federated({"ForAllValues:StringLike": {f"{GITHUB}:sub": "repo:shop/*"}})),
        {"app": f"{GITHUB}:sub"},
    ),
    Case(
        OPEN,
        "variant",
        "no condition at all",
        program(federated(None, "oidc.eks.eu-west-1.amazonaws.com/id/A1")),
        {"app": "A1:sub"},
    ),
    Case(
        OPEN,
        "variant",
        "every service there is, for this account",
        program(trusting("*", OURS)),
        {"app": "Principal *"},
    ),
    Case(OPEN, "compliant", "one service", program(trusting(service("lambda")))),
    Case(OPEN, "unknown", "the document", program(role("app", assumeRolePolicy=UNKNOWN))),
    Case(
        OPEN,
        "unknown",
        "the principal, in an object",
        program(
            role("app", assumeRolePolicy={"Statement": [allow({"AWS": UNKNOWN}, "sts:AssumeRole", "*")]}),
        ),
    ),
    Case(
        OPEN,
        "near miss",
        "everybody in the organisation",
        program(trusting({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}})),
    ),
    Case(OPEN, "near miss", "another account", program(trusting({"AWS": "444455556666"}))),
    Case(
        OPEN,
        "near miss",
        "one repository",
        program(federated({"StringLike": {f"{GITHUB}:sub": "repo:shop/orders:*"}})),
    ),
    Case(
        OPEN,
        "near miss",
        "an audience that says whose",
        program(
            federated({"StringEquals": {"api.pulumi.com/oidc:aud": "aws:shop"}}, "api.pulumi.com/oidc"),
        ),
    ),
    Case(
        OPEN,
        "near miss",
        "everybody, where a Deny shuts out strangers",
        program(
            role(
                "app",
                assumeRolePolicy=policy(
                    {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}},
                    },
                ),
            )
        ),
    ),
    Case(
        OPEN,
        "near miss",
        "a pod of our own cluster",
        program(
            federated(
                {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/A1:sub": "system:serviceaccount:a:b"}},
                "oidc.eks.eu-west-1.amazonaws.com/id/A1",
            )
        ),
    ),
    Case(
        OPEN,
        "near miss",
        "SAML, where the provider is our own",
        program(
            trusting({"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"}, action="sts:AssumeRole*"),
        ),
    ),
    # --- trusted-service-acts-for-a-known-source
    Case(
        TRUSTED,
        "typical",
        "a state machine's role without a condition",
        program(trusting(service("states"))),
        {"app": ("states.amazonaws.com", "aws:SourceAccount")},
    ),
    Case(
        TRUSTED,
        "variant",
        "one of two services, by name of a Region",
        program(trusting({"Service": ["lambda.amazonaws.com", "states.eu-west-1.amazonaws.com"]})),
        {"app": "assumed by states.eu-west-1.amazonaws.com for"},
    ),
    Case(
        TRUSTED,
        "variant",
        "a source that is anybody's",
        program(trusting(service("scheduler"), {"ArnLike": {"aws:SourceArn": "arn:aws:scheduler:*:*:schedule/*"}})),
        {"app": "scheduler.amazonaws.com"},
    ),
    Case(
        TRUSTED,
        "variant",
        "a condition on something else",
        program(trusting(service("events"), {"StringEquals": {"aws:RequestedRegion": REGION}})),
        {"app": "events.amazonaws.com"},
    ),
    *(
        Case(TRUSTED, "variant", what, program(trusting(service(name))), {"app": f"{name}.amazonaws.com"})
        for what, name in (("a database's", "rds"), ("a cluster's", "elasticmapreduce"))
    ),
    Case(TRUSTED, "compliant", "a condition on the account", program(trusting(service("scheduler"), OURS))),
    Case(TRUSTED, "compliant", "for machines of this account", program(trusting(service("states"), MACHINES))),
    Case(TRUSTED, "unknown", "the document", program(role("app", assumeRolePolicy=UNKNOWN))),
    Case(
        TRUSTED,
        "unknown",
        "the source, in an object",
        program(
            role(
                "app",
                assumeRolePolicy={
                    "Statement": allow(
                        service("states"), "sts:AssumeRole", "*", {"ArnLike": {"aws:SourceArn": UNKNOWN}}
                    )
                },
            )
        ),
    ),
    Case(TRUSTED, "near miss", "Lambda, which does not say", program(trusting(service("lambda")))),
    Case(TRUSTED, "near miss", "EC2, which does not say", program(trusting(service("ec2")))),
    Case(TRUSTED, "near miss", "CloudTrail, whose page has none", program(trusting(service("cloudtrail")))),
    Case(TRUSTED, "near miss", "a person", program(trusting(ROOT))),
]
