"""Programs as people publish them, written anew and in order: no rule has anything to say about them."""

import json
from collections.abc import Callable

from policies.inputs import state_files
from policies.model.stack import Resource
from tests.policies import public_pipelines, public_services
from tests.policies.programs import Made, program

PROGRAMS: dict[str, Callable[[], tuple[Made, ...]]] = {
    "thumbnails": public_pipelines.thumbnails,
    "nightly_report": public_pipelines.nightly_report,
    "event_fan_out": public_pipelines.event_fan_out,
    "order_flow": public_pipelines.order_flow,
    "click_stream": public_pipelines.click_stream,
    "order_pipe": public_pipelines.order_pipe,
    "order_api": public_services.order_api,
    "deployment_by_github": public_services.deployment_by_github,
    "reader_of_another_account": public_services.reader_of_another_account,
    "alarms_to_chat": public_services.alarms_to_chat,
    "rotated_secret": public_services.rotated_secret,
    "website": public_services.website,
    "secret_audit": public_services.secret_audit,
}
"""By name, each with a docstring that says what it is for."""


def make_resources(made: tuple[Made, ...]) -> tuple[Resource, ...]:
    """The resources of a program as the pack reads them, in a stack for production."""
    text = json.dumps(program(*made).exported()).replace("urn:pulumi:dev::", "urn:pulumi:prod::")
    return state_files.read(text.encode()).resources
