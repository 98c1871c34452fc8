"""Records a hub and a member of it, as a program of one account would deploy them."""

from collections.abc import Mapping
from typing import Any

from components.organization.hub import Hub
from components.organization.member import Member
from components.settings.declarations import SETTINGS

from .recording import Recording, run

ORGANIZATION = "o-a1b2c3d4e5"


def deploy_organization(**settings: Any) -> Recording:
    """Record a Hub `rotation-hub` and a Member `rotation-member`, both with these settings."""

    def program() -> None:
        hub = Hub("rotation-hub", {"organization_id": ORGANIZATION, **_select("hub", settings)})
        Member(
            "rotation-member",
            {
                "hub_event_bus_arn": hub.event_bus_arn,
                "alarms_topic_arn": hub.alarms_topic_arn,
                **_select("member", settings),
            },
        )

    return run(program)


def _select(component: str, settings: Mapping[str, Any]) -> Any:
    """The settings that a component takes."""
    return {name: value for name, value in settings.items() if component in SETTINGS[name].used_by}
