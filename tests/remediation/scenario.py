"""Actions and queries that scenarios share."""

from tests.remediation.secrets_manager import PREVIOUS, Fault
from tests.remediation.world import NOTIFICATIONS


def list_transitions(world, topic=NOTIFICATIONS):
    """The transitions that were published to a topic, in order."""
    return [notification.transition for notification in world.event_log.notifications if notification.topic == topic]


def fail_rotation(world, secret, step, after=False, times=1):
    """Start a rotation that fails at this step, this many times."""
    secret.fault = Fault(step, after, times)
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)


def list_calls(world):
    """The calls to Secrets Manager that change something."""
    return [action.kind for action in world.event_log.actions]


def run_up_to(world, state):
    """Deliver pending events, and run until an execution is at this state."""
    for event in world.undelivered:
        world.deliver(event)
    while world.running[0].state != state:
        world.run_next()
    return world.running[0]


def run_without(world, execution):
    """Run all other executions to their end, before the next attempt of this one is due."""
    for other in [running for running in world.running if running is not execution]:
        while other in world.running:
            world.step(other)


def abort_at(world, state):
    """Abort an execution as it enters this state."""
    execution = run_up_to(world, state)
    world.machine.abort(execution)
    return execution


def run_audit_later(world, hours=3):
    """Advance the clock, then run the audit and what it starts."""
    world.clock.advance(hours * 3600)
    world.audit()
    world.run()


def rotate_by_hand(world, secret):
    secret.fault = None
    world.secrets_manager.start_rotation(secret.arn)
    world.secrets_manager.continue_rotation(secret.arn)


def move_by_hand(world, secret):
    world.secrets_manager.move_by_hand(secret.arn, secret.labels[PREVIOUS])
