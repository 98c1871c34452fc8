"""Cases of the rules about event targets with a role, and about references to functions."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    alias,
    concat,
    event_rule,
    event_target,
    function,
    make,
    permission,
    policy,
    program,
    queue,
    role,
    role_policy,
)

PERMITTED = "event-target-is-permitted"
CENTRAL = f"arn:aws:events:{REGION}:444455556666:event-bus/central"
OVERSEAS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/central"
PIPELINE = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:release"
AUTOMATION = f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/restart:$DEFAULT"

bus = make("aws:cloudwatch/eventBus:EventBus")
paid = event_rule("paid", name="paid")
reader = function("reader", name="reader")
live = alias("live", name="live", functionName=reader.arn, functionVersion="3")
sender = role(
    "sender",
    assumeRolePolicy=policy(
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ),
)

sends = make("aws:iam/policy:Policy")(
    "sends", policy=policy({"Effect": "Allow", "Action": "events:PutEvents", "Resource": OVERSEAS})
)


def target_for(arn: Any, **more: Any) -> Made:
    """A target of the rule."""
    return event_target("send", rule=paid.name, arn=arn, **more)


def permit(action: Any, resource: Any) -> Made:
    """A policy of the role."""
    return role_policy(
        "sender", role=sender.id, policy=policy({"Effect": "Allow", "Action": action, "Resource": resource})
    )


def invoke_permission(function_name: Any, **more: Any) -> Made:
    """A permission of the function for the rule."""
    return permission(
        "may-invoke",
        action="lambda:InvokeFunction",
        function=function_name,
        principal="events.amazonaws.com",
        sourceArn=paid.arn,
        **more,
    )


CASES = [
    *(
        Case(
            PERMITTED,
            "variant",
            f"{what}, without a role",
            program(paid, target_for(arn)),
            {"send": ("roleArn is absent", action)},
            silent_at_preview="bus" in what,
        )
        for what, arn, action in (
            ("a bus of another account", CENTRAL, "events:PutEvents"),
            ("a bus of another Region", OVERSEAS, "events:PutEvents"),
            ("a pipeline", PIPELINE, "codepipeline:StartPipelineExecution"),
            ("an automation", AUTOMATION, "ssm:StartAutomationExecution"),
        )
    ),
    Case(
        PERMITTED,
        "variant",
        "a role for another bus",
        program(
            paid,
            sender,
            permit("events:PutEvents", OVERSEAS.replace("central", "other")),
            target_for(OVERSEAS, roleArn=sender.arn),
        ),
        {"send": "no policy of its role sender allows events:PutEvents"},
    ),
    Case(
        PERMITTED,
        "compliant",
        "a role for a bus of another account",
        program(paid, sender, permit("events:PutEvents", CENTRAL), target_for(CENTRAL, roleArn=sender.arn)),
    ),
    Case(
        PERMITTED,
        "compliant",
        "a role for an automation, whose document its policy names",
        program(
            paid,
            sender,
            permit("ssm:StartAutomationExecution", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/restart"),
            target_for(AUTOMATION, roleArn=sender.arn),
        ),
    ),
    *(
        Case(
            PERMITTED,
            "near miss",
            f"the role has its policy by {what}",
            program(paid, sender, sends, by, target_for(OVERSEAS, roleArn=sender.arn)),
        )
        for what, by in {
            "a list of all that it has": make("aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive")(
                "all", roleName=sender.name, policyArns=[sends.arn]
            ),
            "an attachment to several": make("aws:iam/policyAttachment:PolicyAttachment")(
                "several", roles=["another", sender.name], policyArn=sends.arn
            ),
        }.items()
    ),
    Case(
        PERMITTED,
        "near miss",
        "what else Systems Manager does for a rule",
        program(
            paid,
            sender,
            permit("ssm:CreateOpsItem", "*"),
            target_for(f"arn:aws:ssm:{REGION}:{ACCOUNT}:opsitem", roleArn=sender.arn),
        ),
    ),
    Case(
        PERMITTED,
        "unknown",
        "whose bus it is",
        program(paid, bus("central"), target_for(UNKNOWN)),
    ),
    *(
        Case(
            PERMITTED,
            "near miss",
            f"a permission that says {what}",
            program(paid, reader, live, target_for(called), given),
        )
        for what, called, given in (
            ("name:alias", live.arn, invoke_permission(concat(reader.name, ":live"))),
            ("the alias's ARN", live.arn, invoke_permission(live.arn)),
            ("account:function:name", reader.arn, invoke_permission(f"{ACCOUNT}:function:reader")),
            ("$LATEST", reader.arn, invoke_permission("reader:$LATEST")),
        )
    ),
    Case(
        PERMITTED,
        "variant",
        "a permission that says name:alias, and another alias is called",
        program(
            paid,
            reader,
            target_for(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader:blue"),
            invoke_permission("reader:live"),
        ),
        {"send": "no Permission of reader"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "near miss",
        "two buses with a rule of one name, and its queue lies elsewhere",
        program(
            event_rule("here", name="paid"),
            event_rule("there", name="paid", eventBusName="shop"),
            queue("orders"),
            target_for(f"arn:aws:sqs:{REGION}:444455556666:orders"),
        ),
    ),
]
