"""IP networks in conditions: the broad ones count as public.

(https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of public")
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

_WIDEST_PREFIX = {4: 8, 6: 32}
"""Shortest prefix by IP version: broader networks count as public."""
_WIDEST_SHARE = 16
"""The networks of a condition may be at most one part in this many of all addresses."""


def are_narrow(blocks: Iterable[str]) -> bool:
    """Whether these networks are small enough not to be public, each alone and together."""
    networks = []
    for block in blocks:
        try:
            networks.append(ipaddress.ip_network(block, strict=False))
        except ValueError:
            # AWS rejects it.
            continue
    if any(network.prefixlen < _WIDEST_PREFIX[network.version] for network in networks):
        return False
    return all(_share(networks, version, bits) <= 1 / _WIDEST_SHARE for version, bits in ((4, 32), (6, 128)))


def _share(networks: Iterable[Any], version: int, bits: int) -> float:
    """The share of all addresses in these networks."""
    merged = ipaddress.collapse_addresses([network for network in networks if network.version == version])
    return sum(network.num_addresses for network in merged) / 2**bits
