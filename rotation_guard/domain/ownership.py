"""Who answers for a secret that is not simply ours, and whether that owner rotates it: the one list of who does."""

from .secret import ListedSecret

ROTATING_SERVICES = frozenset({"rds", "docdb", "redshift", "ecs-sc"})
"""Values of OwningService whose secrets AWS rotates while RotationEnabled is true: RDS, Aurora and DocumentDB
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html,
https://docs.aws.amazon.com/documentdb/latest/developerguide/docdb-secrets-manager.html), Redshift
(https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html) and ECS Service Connect
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-tls.html), all of them listed in
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html. Every other service only
stores its secrets here, and rotates none that AWS documents."""


def is_replica(secret: ListedSecret) -> bool:
    """Whether its primary is in another Region."""
    return secret.primary_region is not None and secret.primary_region != secret.region


def is_rotated_by_owner(secret: ListedSecret) -> bool:
    """Whether AWS documents that the service or the partner that it belongs to rotates it, and rotation is on.

    Rotation of a managed external secret is a switch of its own
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_external.html).
    """
    if secret.owning_service:
        return secret.rotation_enabled and secret.owning_service in ROTATING_SERVICES
    return secret.rotation_enabled and secret.type is not None


def describe_owner(secret: ListedSecret) -> str:
    """Whose it is and whether that owner rotates it, in a sentence; empty for a secret of the account's own."""
    if secret.owning_service:
        owner = f"It belongs to the service {secret.owning_service}"
        if secret.owning_service not in ROTATING_SERVICES:
            return f"{owner}, which does not rotate it."
        return f"{owner}, which rotates it by itself." if secret.rotation_enabled else f"{owner}; its rotation is off."
    if secret.type:
        owner = f"It is a managed external secret ({secret.type})"
        return f"{owner}, which its partner rotates." if secret.rotation_enabled else f"{owner}; its rotation is off."
    return ""
