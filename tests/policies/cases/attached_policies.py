"""Cases of the rules about AWS managed policies and policies of users."""

from tests.policies.programs import UNKNOWN, Case, concat, make, policy, program, role

attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
exclusive = make("aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive")
of_user = make("aws:iam/userPolicyAttachment:UserPolicyAttachment")
of_several = make("aws:iam/policyAttachment:PolicyAttachment")
user_policy = make("aws:iam/userPolicy:UserPolicy")
group_policy = make("aws:iam/groupPolicy:GroupPolicy")
managed_policy = make("aws:iam/policy:Policy")

AWS = "arn:aws:iam::aws:policy"
READS = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"})
app = role("app")
own = managed_policy("own", policy=READS)

FULL, USERS = "no-full-access-policy-is-attached", "user-has-no-inline-policy"

CASES = [
    # --- no-full-access-policy-is-attached
    Case(
        FULL,
        "typical",
        "AdministratorAccess",
        program(app, attachment("app", role=app.name, policyArn=f"{AWS}/AdministratorAccess")),
        {"app": ("AdministratorAccess", "Set policyArn")},
    ),
    Case(
        FULL,
        "variant",
        "all of SQS, by the role itself, among others",
        program(role("app", managedPolicyArns=[UNKNOWN, f"{AWS}/AmazonSQSFullAccess"])),
        {"app": ("AmazonSQSFullAccess", "managedPolicyArns")},
    ),
    *(
        Case(
            FULL,
            "variant",
            name,
            program(app, attachment("a", role=app.name, policyArn=f"arn:{partition}:iam::aws:policy/{name}")),
            {"a": name.rpartition("/")[2]},
        )
        for partition, name in (
            ("aws", "PowerUserAccess"),
            ("aws", "AWSLambda_FullAccess"),
            ("aws", "CloudWatchFullAccessV2"),
            ("aws-us-gov", "IAMFullAccess"),
            ("aws", "SecretsManagerReadWrite"),
            ("aws", "job-function/SystemAdministrator"),
        )
    ),
    Case(
        FULL,
        "variant",
        "of a user, of several, and of all that a role has",
        program(
            of_user("u", user="u", policyArn=f"{AWS}/AdministratorAccess"),
            of_several("s", roles=["app"], policyArn=f"{AWS}/AmazonS3FullAccess"),
            exclusive("e", roleName="app", policyArns=[f"{AWS}/AmazonDynamoDBFullAccess"]),
        ),
        {"u": "AdministratorAccess", "s": "AmazonS3FullAccess", "e": "policyArns"},
    ),
    Case(
        FULL,
        "variant",
        "an administrator of one service",
        program(
            attachment("a", role="app", policyArn=f"{AWS}/AmazonAPIGatewayAdministrator"),
            attachment("b", role="app", policyArn=f"{AWS}/AWSCodeBuildAdminAccess"),
        ),
        {"a": "AmazonAPIGatewayAdministrator", "b": "AWSCodeBuildAdminAccess"},
    ),
    Case(
        FULL,
        "compliant",
        "a policy of the stack",
        program(app, own, attachment("app", role=app.name, policyArn=own.arn)),
    ),
    Case(FULL, "unknown", "which", program(app, attachment("app", role=app.name, policyArn=UNKNOWN))),
    *(
        Case(FULL, "near miss", what, program(app, attachment("app", role=app.name, policyArn=arn)))
        for what, arn in {
            "what every function has": f"{AWS}/service-role/AWSLambdaBasicExecutionRole",
            "who may only look": f"{AWS}/ReadOnlyAccess",
            "an agent that reads its settings": f"{AWS}/CloudWatchAgentAdminPolicy",
            "our own, called so": "arn:aws:iam::111122223333:policy/TeamFullAccess",
            "a path of ours": concat("arn:aws:iam::111122223333:policy/aws/", "AdministratorAccess"),
        }.items()
    ),
    # --- user-has-no-inline-policy
    Case(
        USERS,
        "typical",
        "an inline policy of a user",
        program(user_policy("ann", user="ann", policy=READS)),
        {"ann": "Use a role"},
    ),
    Case(
        USERS,
        "variant",
        "of a machine, by a name that is made",
        program(user_policy("ci", user=UNKNOWN, policy=READS)),
        {"ci": "inline policy of a user"},
    ),
    Case(
        USERS,
        "compliant",
        "an attached policy",
        program(own, of_user("ann", user="ann", policyArn=own.arn)),
    ),
    Case(USERS, "unknown", "a group's policy", program(group_policy("people", group="g", policy=UNKNOWN))),
    Case(USERS, "near miss", "a group's", program(group_policy("people", group="g", policy=READS))),
    # --- everything else that attaches
    Case(
        FULL,
        "variant",
        "to a permission set, and to a user and a group as all that they have",
        program(
            make("aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment")(
                "set", managedPolicyArn=f"{AWS}/AdministratorAccess"
            ),
            make("aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive")(
                "user", policyArns=[f"{AWS}/PowerUserAccess"]
            ),
            make("aws:iam/groupPolicyAttachmentsExclusive:GroupPolicyAttachmentsExclusive")(
                "group", policyArns=[f"{AWS}/IAMFullAccess"]
            ),
        ),
        {"set": "Set managedPolicyArn", "user": "PowerUserAccess", "group": "policyArns has"},
    ),
]
