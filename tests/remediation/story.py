"""What the stories of a secret are told with."""

from tests.remediation.secrets_manager import Fault
from tests.remediation.world import NOTICES


def heard(world, topic=NOTICES):
    """The turns that a topic has told, in order."""
    return [one.turn for one in world.journal.notices if one.topic == topic]


def fails(world, secret, step, after=False, times=1):
    """Its rotation begins, and fails at this step, so many times."""
    secret.fault = Fault(step, after, times)
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.go_on(secret.arn)


def asked(world):
    """What was asked of Secrets Manager that changes anything."""
    return [one.kind for one in world.journal.actions]


def run_up_to(world, state):
    """Delivers what has happened, and runs until an execution is at this state."""
    for event in world.waiting:
        world.deliver(event)
    while world.running[0].state != state:
        world.run_next()
    return world.running[0]


def run_without(world, execution):
    """Runs all other executions to their end, while the next try of this one is not due yet."""
    for other in [one for one in world.running if one is not execution]:
        while other in world.running:
            world.step(other)
