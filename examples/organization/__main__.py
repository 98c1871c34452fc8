"""A hub, and its members in rings: each ring is deployed once the one before it is, the canary first."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions
from rotation_guard.components.organization.hub import Hub
from rotation_guard.components.organization.member import Member
from rotation_guard.components.rotation_guard import RotationGuard

config = pulumi.Config()


def provide(name: str, place: Mapping[str, str], after: Sequence[pulumi.Resource] = ()) -> ResourceOptions:
    """Deploys to this account and Region, by a role in it, once these resources are there.

    What is deployed there waits for its provider, so this holds back every resource of it.
    """
    account = place["account"]
    provider = aws.Provider(
        name,
        region=place["region"],
        assume_roles=[{"role_arn": f"arn:aws:iam::{account}:role/{config.require('deployRole')}"}],
        # Should the role lead elsewhere, nothing is deployed there.
        allowed_account_ids=[account],
        opts=ResourceOptions(depends_on=list(after)),
    )
    return ResourceOptions(provider=provider)


def deploy_member(
    place: Mapping[str, str], mode: str, hub: Hub, after: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Everything of one account and Region."""
    name = place["name"]
    there = provide(name, place, after)
    guard = RotationGuard(f"{name}-guard", {"remediation_mode": mode, "publish_status": True}, there)
    member = Member(
        f"{name}-member",
        {"hub_event_bus_arn": hub.event_bus_arn, "alarms_topic_arn": guard.critical_topic_arn},
        there,
    )
    pulumi.export(f"{name}-guard", guard.outputs())
    pulumi.export(f"{name}-member", member.outputs())
    return [guard, member]


hub = Hub(
    "rotation-hub",
    {
        "organization_id": config.require("organizationId"),
        "subscriptions": [{"topic": "critical", "protocol": "email", "endpoint": config.require("onCallEmail")}],
    },
    provide("hub", config.require_object("hub")),
)
rings: list[dict[str, Any]] = config.require_object("rings")
deployed: list[pulumi.Resource] = [hub]
for ring in rings:
    in_ring = [
        resource
        for place in ring["members"]
        for resource in deploy_member(place, ring["remediationMode"], hub, deployed)
    ]
    # An empty ring holds back nothing: the next one still waits for the one before.
    deployed = in_ring or deployed

pulumi.export("hub", hub.outputs())
pulumi.export("event_bus_arn", hub.event_bus_arn)
pulumi.export("undelivered_events_dead_letters_url", hub.undelivered_events_dead_letters_url)
pulumi.export("unrecorded_events_dead_letters_url", hub.unrecorded_events_dead_letters_url)
pulumi.export("unrecorded_reports_dead_letters_url", hub.unrecorded_reports_dead_letters_url)
pulumi.export("incidents_table_name", hub.incidents_table_name)
pulumi.export("status_table_name", hub.status_table_name)
