"""The patches of MiniStack, in the order in which they are installed. Runs inside the emulator."""

from collections.abc import Callable
from dataclasses import dataclass

from . import (
    alarms,
    api_destinations,
    automations,
    deliveries,
    forks,
    lambda_service,
    log_output,
    named_resources,
    other_accounts,
    queue_lock,
    request_signatures,
    secrets_manager,
    secure_transport,
    security_hub,
    unpacked_code,
    workflow_tasks,
)


@dataclass(frozen=True)
class Patch:
    """Functions of MiniStack that are replaced together."""

    install: Callable[[], None]
    effect: str
    """What differs from MiniStack once it is installed."""


PATCHES = (
    Patch(forks.install, "Functions start as forks of a process that has imported boto3 and Powertools."),
    Patch(unpacked_code.install, "Processes of functions with the same code share its folder, and its bytecode."),
    Patch(log_output.install, "The log contains no control characters."),
    Patch(request_signatures.install, "Every request needs a valid signature by a key of this run."),
    Patch(queue_lock.install, "No message is lost when two threads change the same queue."),
    Patch(alarms.install, "Alarms are evaluated as CloudWatch documents it, in compressed time."),
    Patch(lambda_service.install, "Calls wait for a worker, throttles follow AWS's limits, and metrics are published."),
    Patch(deliveries.install, "EventBridge, Scheduler and SNS retry deliveries and use dead-letter queues."),
    Patch(api_destinations.install, "API destinations are retried as EventBridge documents it, with dead letters."),
    Patch(other_accounts.install, "Events reach event buses of other accounts, if their policies admit the sender."),
    Patch(workflow_tasks.install, "Step Functions names throttles and applies timeouts as AWS does."),
    Patch(secrets_manager.install, "Secrets Manager rotates secrets, and rejects what AWS rejects."),
    Patch(automations.install, "Systems Manager has automations."),
    Patch(security_hub.install, "Security Hub takes findings, and refuses what AWS refuses."),
    Patch(secure_transport.install, "Conditions of policies see every request as one over TLS."),
    Patch(named_resources.install, "IAM checks the resource that a call is about."),
)


def install_all() -> None:
    """Install every patch; each module keeps MiniStack's own function under a name that ends in `_by_ministack`."""
    for patch in PATCHES:
        patch.install()
