"""Which secrets belong to an AWS service or a partner, and whether that owner rotates them."""

from .secret import ListedSecret

ROTATING_SERVICES = frozenset({"rds", "docdb", "redshift", "ecs-sc"})
"""Values of OwningService whose secrets AWS rotates if RotationEnabled is true: RDS, Aurora and DocumentDB
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html,
https://docs.aws.amazon.com/documentdb/latest/developerguide/docdb-secrets-manager.html), Redshift
(https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html) and ECS Service Connect
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-tls.html), all listed in
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html. No other service is
documented to rotate the secrets that it stores."""


def is_replica(secret: ListedSecret) -> bool:
    """Whether the secret's primary is in another Region."""
    return secret.primary_region is not None and secret.primary_region != secret.region


def is_rotated_by_owner(secret: ListedSecret) -> bool:
    """Whether rotation is on and AWS documents that the owning service or partner rotates the secret.

    The rotation of a managed external secret can be turned off
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_external.html).
    """
    if secret.owning_service:
        return secret.rotation_enabled and secret.owning_service in ROTATING_SERVICES
    return secret.rotation_enabled and secret.type is not None


def describe_owner(secret: ListedSecret) -> str:
    """The owning service or partner and whether it rotates the secret, in a sentence; empty if there is none."""
    if secret.owning_service:
        owner = f"It belongs to the service {secret.owning_service}"
        if secret.owning_service not in ROTATING_SERVICES:
            return f"{owner}, which does not rotate it."
        return f"{owner}, which rotates it by itself." if secret.rotation_enabled else f"{owner}; its rotation is off."
    if secret.type:
        owner = f"It is a managed external secret ({secret.type})"
        return f"{owner}, which its partner rotates." if secret.rotation_enabled else f"{owner}; its rotation is off."
    return ""
