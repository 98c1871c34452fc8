"""Reads account, Region and partition out of an ARN that is at hand, so that nothing has to be looked up."""

import pulumi


class ArnPart:
    """Where a part stands in `arn:partition:service:region:account:resource`."""

    PARTITION = 1
    REGION = 3
    ACCOUNT = 4


def part(arn: pulumi.Input[str], index: int) -> pulumi.Output[str]:
    """One part of an ARN, by an index of ArnPart; unknown at preview where the ARN is."""
    return pulumi.Output.from_input(arn).apply(lambda text: text.split(":")[index])


SCOPE = (ArnPart.PARTITION, ArnPart.REGION, ArnPart.ACCOUNT)
"""The parts that say where something is."""
