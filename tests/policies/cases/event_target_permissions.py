"""Cases of the rules about permissions for event targets."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    alias,
    allow,
    concat,
    event_rule,
    event_target,
    function,
    make,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    state_machine,
    topic,
    topic_policy,
)

PERMITTED = "event-target-is-permitted"

EVENTS = {"Service": "events.amazonaws.com"}
ELSEWHERE = f"arn:aws:sqs:{REGION}:444455556666:shared-dead"
paid = event_rule("paid", name="paid")
other = event_rule("other", name="other")
orders = queue("orders")
news = topic("news")
reader = function("reader", name="reader")
work = state_machine("work")

attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
managed = make("aws:iam/policy:Policy")
destination = make("aws:cloudwatch/eventApiDestination:EventApiDestination")
cluster = make("aws:ecs/cluster:Cluster")
bus = make("aws:cloudwatch/eventBus:EventBus")


def target_for(arn: Any, rule: Made = paid, **more: Any) -> Made:
    """A target of a rule."""
    return event_target("send", rule=rule.name, arn=arn, **more)


def queue_policy_for(queue_: Made, source: Any, operator: str = "ArnEquals", **more: Any) -> Made:
    """The policy of a queue that lets EventBridge send for this source."""
    condition = {operator: {"aws:SourceArn": source}}
    statement = {**allow(EVENTS, "sqs:SendMessage", queue_.arn, condition), **more}
    return queue_policy(f"{queue_.title}-policy", queueUrl=queue_.url, policy=policy(statement))


def publishes(*statements: Any) -> Made:
    """The policy of the topic."""
    return topic_policy("news", arn=news.arn, policy=policy(*statements))


def invoke_permission(title: str = "may-invoke", **changes: Any) -> Made:
    """A permission of the function."""
    properties = {"action": "lambda:InvokeFunction", "function": reader.name, "principal": "events.amazonaws.com"}
    return permission(title, **{**properties, "sourceArn": paid.arn, **changes})


TRUST = policy({"Effect": "Allow", "Principal": EVENTS, "Action": "sts:AssumeRole"})
starter = role("starter", assumeRolePolicy=TRUST)
starts_work = role_policy(
    "starter",
    role=starter.name,
    policy=policy({"Effect": "Allow", "Action": "states:StartExecution", "Resource": work.arn}),
)
to_work = target_for(work.arn, roleArn=starter.arn)


def with_policy(action: Any, resource: Any) -> Made:
    """A policy of the role."""
    return role_policy(
        "starter", role=starter.id, policy=policy({"Effect": "Allow", "Action": action, "Resource": resource})
    )


MANY = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"

CASES = [
    # --- event-target-is-permitted
    Case(
        PERMITTED,
        "typical",
        "a function without a permission",
        program(paid, reader, target_for(reader.arn)),
        {"send": ("reader has no Permission", "lambda:InvokeFunction", "events.amazonaws.com")},
    ),
    Case(
        PERMITTED, "typical", "a queue", program(paid, orders, target_for(orders.arn)), {"send": "orders has no policy"}
    ),
    Case(PERMITTED, "typical", "a topic", program(paid, news, target_for(news.arn)), {"send": "news has no policy"}),
    Case(
        PERMITTED,
        "typical",
        "a workflow without a role",
        program(paid, work, target_for(work.arn)),
        {"send": ("work", "roleArn is absent", "states:StartExecution")},
    ),
    *(
        Case(
            PERMITTED,
            "variant",
            what,
            program(paid, other, reader, target_for(reader.arn), given),
            {"send": "no Permission of"},
        )
        for what, given in {
            "a permission for another service": invoke_permission(principal="s3.amazonaws.com"),
            "a permission for another action": invoke_permission(action="lambda:GetFunction"),
            "a permission for another rule": invoke_permission(sourceArn=other.arn, function=reader.arn),
        }.items()
    ),
    Case(
        PERMITTED,
        "variant",
        "a permission of the function, and its alias is called",
        program(
            paid,
            reader,
            event_target("send", rule="paid", arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader:live"),
            invoke_permission(),
        ),
        {"send": "no Permission of reader"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "variant",
        "a queue's policy for another rule",
        program(paid, other, orders, target_for(orders.arn), queue_policy_for(orders, other.arn)),
        {"send": "the policy of orders does not allow"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "variant",
        "a topic with the policy that AWS gives one",
        program(
            paid,
            news,
            target_for(news.arn),
            publishes(
                allow({"AWS": "*"}, ["SNS:Publish"], news.arn, {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}),
            ),
        ),
        {"send": "the policy of news does not allow"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "variant",
        "a topic's policy for CloudWatch",
        program(
            paid,
            news,
            target_for(news.arn),
            publishes(allow({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish", news.arn)),
        ),
        {"send": "sns:Publish to events.amazonaws.com"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "variant",
        "a role without a policy",
        program(paid, work, starter, to_work),
        {"send": "no policy of its role starter allows states:StartExecution"},
    ),
    Case(
        PERMITTED,
        "variant",
        "a role for another workflow",
        program(
            paid,
            work,
            starter,
            with_policy("states:StartExecution", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x"),
            to_work,
        ),
        {"send": "no policy of its role starter"},
        silent_at_preview=True,
    ),
    Case(
        PERMITTED,
        "variant",
        "a role that only Scheduler may assume",
        program(
            paid,
            work,
            role(
                "starter",
                assumeRolePolicy=policy(
                    {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ),
            ),
            starts_work,
            to_work,
        ),
        {"send": "trust policy of its role starter"},
    ),
    Case(
        PERMITTED,
        "variant",
        "a stream elsewhere without a role",
        program(paid, target_for(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s")),
        {"send": "kinesis:PutRecord"},
    ),
    Case(
        PERMITTED,
        "variant",
        "a task without a role that may run it",
        program(
            paid,
            cluster("c"),
            starter,
            with_policy("ecs:DescribeTasks", "*"),
            target_for(cluster("c").arn, roleArn=starter.arn),
        ),
        {"send": "ecs:RunTask"},
    ),
    Case(
        PERMITTED,
        "variant",
        "an API destination without a role",
        program(paid, destination("chat"), target_for(destination("chat").arn)),
        {"send": "events:InvokeApiDestination"},
    ),
    Case(
        PERMITTED,
        "compliant",
        "a function with a permission for the rule",
        program(paid, reader, target_for(reader.arn), invoke_permission()),
    ),
    Case(
        PERMITTED,
        "compliant",
        "a queue",
        program(paid, orders, target_for(orders.arn), queue_policy_for(orders, paid.arn)),
    ),
    Case(
        PERMITTED,
        "compliant",
        "a topic",
        program(paid, news, target_for(news.arn), publishes(allow(EVENTS, "sns:Publish", news.arn))),
    ),
    Case(PERMITTED, "compliant", "a workflow", program(paid, work, starter, starts_work, to_work)),
    Case(PERMITTED, "unknown", "the target", program(paid, reader, target_for(UNKNOWN))),
    Case(
        PERMITTED,
        "unknown",
        "whose the permission is",
        program(paid, reader, target_for(reader.arn), invoke_permission(function=UNKNOWN)),
    ),
    Case(
        PERMITTED,
        "unknown",
        "for whom it is",
        program(paid, reader, target_for(reader.arn), invoke_permission(sourceArn=UNKNOWN)),
    ),
    Case(PERMITTED, "unknown", "the role", program(paid, work, target_for(work.arn, roleArn=UNKNOWN))),
    Case(
        PERMITTED,
        "unknown",
        "the role's policy",
        program(paid, work, starter, to_work, role_policy("p", role=starter.name, policy=UNKNOWN)),
    ),
    *(
        Case(PERMITTED, "near miss", what, program(paid, other, reader, target_for(reader.arn), given))
        for what, given in {
            "a permission for all rules": invoke_permission(sourceArn=MANY),
            "a permission for every source": invoke_permission(sourceArn=None),
            "a permission for everything": invoke_permission(action="lambda:*"),
            "a permission by the function's ARN": invoke_permission(function=reader.arn),
        }.items()
    ),
    Case(
        PERMITTED,
        "near miss",
        "a permission among others",
        program(
            paid,
            other,
            reader,
            target_for(reader.arn),
            invoke_permission("a", sourceArn=other.arn),
            invoke_permission("b"),
            invoke_permission("c", principal="1"),
        ),
    ),
    Case(
        PERMITTED,
        "near miss",
        "an alias, and its permission",
        program(
            paid,
            reader,
            alias("live", name="live", functionName=reader.name, functionVersion="1"),
            target_for(alias("live", name="live", functionName=reader.name).arn),
            invoke_permission(qualifier="live"),
        ),
    ),
    Case(
        PERMITTED,
        "near miss",
        "a function that was looked up",
        program(paid, target_for(reader.arn), external=[reader]),
    ),
    *(
        Case(PERMITTED, "near miss", what, program(paid, work, starter, given, managed("m", policy=policy()), to_work))
        for what, given in {
            "a role whose policy is elsewhere": attachment(
                "a", role=starter.name, policyArn=f"arn:aws:iam::{ACCOUNT}:policy/starts"
            ),
            "a role that may start everything": with_policy(["states:*"], ["*"]),
            "a role that may start all of the account": with_policy(
                "states:StartExecution", concat("arn:aws:states:", REGION, ":", ACCOUNT, ":stateMachine:*")
            ),
        }.items()
    ),
    Case(
        PERMITTED,
        "near miss",
        "a role with a policy of its own, attached",
        program(
            paid,
            work,
            starter,
            managed("m", policy=policy({"Effect": "Allow", "Action": "states:StartExecution", "Resource": work.arn})),
            attachment("a", role=starter.name, policyArn=managed("m").arn),
            to_work,
        ),
    ),
    Case(
        PERMITTED,
        "near miss",
        "a role with an inline policy, which is for this rule alone",
        program(
            paid,
            work,
            role(
                "starter",
                assumeRolePolicy=policy(
                    {
                        "Effect": "Allow",
                        "Principal": EVENTS,
                        "Action": "sts:AssumeRole",
                        "Condition": {
                            "ArnLike": {"aws:SourceArn": paid.arn},
                            "StringEquals": {"aws:SourceAccount": ACCOUNT},
                        },
                    }
                ),
                inlinePolicies=[
                    {
                        "name": "start",
                        "policy": policy({"Effect": "Allow", "Action": "states:StartExecution", "Resource": work.arn}),
                    }
                ],
            ),
            to_work,
        ),
    ),
    *(
        Case(PERMITTED, "near miss", what, program(paid, *given))
        for what, given in {
            "a role of another stack": (work, target_for(work.arn, roleArn=f"arn:aws:iam::{ACCOUNT}:role/r")),
            "a queue of another stack": (target_for(ELSEWHERE),),
            "a function of another stack": (target_for(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"),),
            "a log group": (target_for(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/x"),),
            "a bus": (bus("central"), target_for(bus("central").arn)),
        }.items()
    ),
    Case(
        PERMITTED,
        "near miss",
        "a queue, with a role that may send, which AWS advises against",
        program(
            paid,
            orders,
            starter,
            with_policy("sqs:SendMessage", orders.arn),
            target_for(orders.arn, roleArn=starter.arn),
        ),
    ),
]
