"""What is heard: rules on the default event bus, their targets, and the dead letters of both."""

import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch, lambda_, sqs

from .. import iam_policies
from ..queue import queue
from . import event_patterns
from .event_patterns import Pattern

DESTINATIONS: Mapping[str, tuple[str, ...]] = {
    "failures": ("failures",),
    "audit": ("audit",),
    "both": ("failures", "audit"),
}
RETRY_POLICY: Mapping[str, int] = {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24}
"""An hour, then dead letters: AWS's default of a day would tell people about yesterday's failure."""


class ExtraRuleArgs(TypedDict):
    """Events of another kind, for the same path."""

    name: str
    """Short name of the rule, unique among the extra rules."""
    event_pattern: Mapping[str, Any]
    """What to listen for, as EventBridge writes patterns."""
    to: str
    """`failures` tells people, `audit` records, `both` does both."""


class RotationEventsArgs(TypedDict):
    """Where events go."""

    failures_topic_arn: pulumi.Input[str]
    """Topic for failed rotations; its policy must let EventBridge publish."""
    audit_queue_arn: pulumi.Input[str]
    """Queue for everything that is recorded."""
    audit_queue_url: pulumi.Input[str]
    """The same queue, to set its policy: it admits these rules and nobody else."""
    start_function_arn: pulumi.Input[str]
    """Function that starts remediation for what it hears of a rotation."""
    start_function_name: pulumi.Input[str]
    """The same function, to let these rules call it."""
    extra_rules: NotRequired[list[ExtraRuleArgs]]
    """Rules for other events; none unless given."""
    drill: NotRequired[bool]
    """Whether the rules also accept the source `rotation-guard.drill`; not unless given."""
    dead_letter_retention_days: NotRequired[int]
    """Days that undeliverable events are kept; 14 unless given."""
    kms_key_arn: NotRequired[pulumi.Input[str]]
    """Customer key for the dead letters; its policy must let EventBridge use it. SSE-SQS unless given."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


class RotationEvents(pulumi.ComponentResource):
    """Rules for every rotation event, each target with a bounded retry and dead letters it can reach."""

    dead_letters_arn: Output[str]
    """Queue of the events that no target took."""
    dead_letters_url: Output[str]
    """The same queue, to read it."""

    def __init__(self, name: str, args: RotationEventsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("rotation-guard:index:RotationEvents", name, {**args}, opts)
        child = ResourceOptions(parent=self)
        tags = args.get("tags")
        key = args.get("kms_key_arn")

        routes: dict[str, tuple[str, Pattern, tuple[str, ...]]] = {
            "failed": (
                "Rotations that failed or were abandoned",
                event_patterns.ROTATION_FAILURES,
                ("failures", "audit", "remediation"),
            ),
            "stuck": (
                "Rotations that the audit found stuck",
                event_patterns.STUCK_ROTATIONS,
                ("failures", "audit", "remediation"),
            ),
            "stalled": ("Incidents whose execution has died", event_patterns.STALLED_INCIDENTS, ("remediation",)),
            "service-events": ("What else a rotation reports", event_patterns.OTHER_SERVICE_EVENTS, ("audit",)),
            "api-calls": ("Calls that change a rotation or a version", event_patterns.API_CALLS, ("audit",)),
            "label-updates": ("Labels that moved to another version", event_patterns.LABEL_UPDATES, ("audit",)),
            # Both ways to hear of a new value: the one needs a trail, the other does not.
            "succeeded": ("Rotations that succeeded", event_patterns.ROTATION_SUCCESSES, ("remediation",)),
            "moved": ("AWSCURRENT moved to another version", event_patterns.NEW_VALUES, ("remediation",)),
        }
        for extra in args.get("extra_rules", []):
            description = f"Extra rule {extra['name']} of the configuration"
            routes[f"extra-{extra['name']}"] = (description, extra["event_pattern"], DESTINATIONS[extra["to"]])

        rules = {
            route: cloudwatch.EventRule(
                f"{name}-{route}",
                description=description,
                event_pattern=json.dumps(event_patterns.with_drills(pattern) if args.get("drill") else pattern),
                state="ENABLED",
                tags=tags,
                opts=child,
            )
            for route, (description, pattern, _) in routes.items()
        }

        def rules_to(destination: str) -> list[Output[str]]:
            return [rules[route].arn for route, (_, _, to) in routes.items() if destination in to]

        dead_letters = queue(
            f"{name}-dead-letters",
            retention_days=args.get("dead_letter_retention_days", 14),
            kms_key_arn=key,
            tags=tags,
            opts=child,
        )
        # Nobody adds this policy by itself: without it an event that fails is lost, and no alarm sees it.
        admission = sqs.QueuePolicy(
            f"{name}-dead-letters",
            queue_url=dead_letters.url,
            policy=Output.all(dead_letters.arn, *(rule.arn for rule in rules.values())).apply(
                lambda known: iam_policies.fed_by_rules(known[0], known[1:])
            ),
            opts=child,
        )
        audit_admission = sqs.QueuePolicy(
            f"{name}-audit",
            queue_url=args["audit_queue_url"],
            policy=Output.all(args["audit_queue_arn"], *rules_to("audit")).apply(
                lambda known: iam_policies.fed_by_rules(known[0], known[1:])
            ),
            opts=child,
        )
        admitted = {
            route: lambda_.Permission(
                f"{name}-{route}-remediation",
                action="lambda:InvokeFunction",
                function=args["start_function_name"],
                principal="events.amazonaws.com",
                source_arn=rules[route].arn,
                opts=child,
            )
            for route, (_, _, to) in routes.items()
            if "remediation" in to
        }

        destinations: dict[str, pulumi.Input[str]] = {
            "failures": args["failures_topic_arn"],
            "audit": args["audit_queue_arn"],
            # A function and not the workflow: the event itself, which may say what it should not, would stand in the
            # history of the execution.
            "remediation": args["start_function_arn"],
        }
        for route, (_, _, to) in routes.items():
            permitted: dict[str, list[pulumi.Resource]] = {
                "audit": [audit_admission],
                "remediation": [admitted[route]] if route in admitted else [],
            }
            for destination in to:
                cloudwatch.EventTarget(
                    f"{name}-{route}-{destination}",
                    rule=rules[route].name,
                    target_id=destination,
                    arn=destinations[destination],
                    dead_letter_config={"arn": dead_letters.arn},
                    retry_policy={**RETRY_POLICY},
                    opts=ResourceOptions(parent=self, depends_on=[admission, *permitted.get(destination, [])]),
                )

        # For Observability, in the same program.
        self.dead_letters_name = dead_letters.name
        self.rule_names = {route: rule.name for route, rule in rules.items()}
        self.dead_letters_arn = dead_letters.arn
        self.dead_letters_url = dead_letters.url
        self.register_outputs({"dead_letters_arn": self.dead_letters_arn, "dead_letters_url": self.dead_letters_url})
