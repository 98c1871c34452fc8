"""Logical names of subscriptions, and the refusal of an update that would end one by renaming it.

SNS answers Subscribe for an endpoint that is subscribed already with the ARN of that subscription, and Pulumi creates
before it deletes. A subscription whose logical name changes while its endpoint stays is "created" as the one that
exists and then deleted under its old name: no subscription is left, and the update reports success. So a name
depends on topic, protocol and endpoint alone, not on the order of the list or on what is secret in it.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pulumi
from pulumi import Alias, Output, ResourceHook, ResourceHookArgs, ResourceHookBinding, ResourceHookOptions

from .endpoints import normalize_endpoint

NAMES_OUTPUT = "subscription_names"
"""The component's record of the names that its subscriptions have, in the order of the list."""


def hash_endpoint(endpoint: str) -> str:
    """The end of a subscription's name, unless it was given one: 8 hexadecimal digits of its endpoint's SHA-256."""
    return hashlib.sha256(endpoint.encode()).hexdigest()[:8]


def name_subscription(subscription: Mapping[str, Any]) -> str:
    """The logical name, without the component's in front of it.

    The text of an Output is not known when the name is needed: such an endpoint is told from the others by the name
    that it was given, or by being the only unnamed Output of its topic and protocol.
    """
    endpoint, kind = subscription["endpoint"], _kind(subscription)
    if subscription.get("name"):
        return f"{kind}-{subscription['name']}"
    return f"{kind}-{hash_endpoint(endpoint)}" if isinstance(endpoint, str) else kind


def list_aliases(component: str, subscription: Mapping[str, Any], position: int) -> list[Any]:
    """The other names under which the state may hold this subscription, as Pulumi takes aliases.

    Its position in the list, which named it in the first revisions where an endpoint was secret or an Output; and the
    hash of its endpoint, which names it as long as the endpoint is plain text without a name.
    """
    kind, name = f"{component}-{_kind(subscription)}", f"{component}-{name_subscription(subscription)}"
    endpoint, by_position = subscription["endpoint"], Alias(name=f"{kind}-{position}")

    def alias_by_hash(text: str) -> Alias:
        by_hash = f"{kind}-{hash_endpoint(text)}"
        # The SDK wants an alias from every Output: the other one again, where this one is the name itself.
        return by_position if by_hash == name else Alias(name=by_hash)

    if isinstance(endpoint, Output):
        return [by_position, endpoint.apply(alias_by_hash)]
    by_hash = alias_by_hash(endpoint)
    return [by_position] if by_hash is by_position else [by_position, by_hash]


class PreviousList(NamedTuple):
    """A list of subscriptions as the last update left it."""

    subscriptions: Sequence[Mapping[str, Any]]
    names: Sequence[str] | None
    """Their logical names; None where one of the first revisions made them, which kept no record."""
    is_secret: bool
    """Whether any part of it was secret."""

    def name_at(self, position: int, *, is_output: bool) -> str:
        """The logical name of the subscription at this position; `is_output` says whether its endpoint is an Output."""
        if self.names is not None:
            return self.names[position]
        subscription = self.subscriptions[position]
        # With a secret in it, a list from the configuration was named by position throughout; a program's own list may
        # not have been, which the state does not show.
        last = position if self.is_secret or is_output else hash_endpoint(subscription["endpoint"])
        return f"{_kind(subscription)}-{last}"


def find_renamed(
    previous: PreviousList, subscriptions: Sequence[Mapping[str, Any]], endpoints: Sequence[str | None]
) -> Iterator[tuple[str, str]]:
    """Old and new name of each subscription that stays, but under a name that no alias leads to.

    `endpoints` are the texts of the subscriptions' endpoints, None where one is not known yet.
    """
    positions = {
        _identify(subscription, endpoint): position
        for position, (subscription, endpoint) in enumerate(zip(subscriptions, endpoints, strict=True))
        if endpoint is not None
    }
    for former_position, former in enumerate(previous.subscriptions):
        position = positions.get(_identify(former, former["endpoint"]))
        if position is None:
            continue
        subscription, kind = subscriptions[position], _kind(former)
        old = previous.name_at(former_position, is_output=isinstance(subscription["endpoint"], Output))
        name = name_subscription(subscription)
        if old not in (name, f"{kind}-{position}", f"{kind}-{hash_endpoint(str(endpoints[position]))}"):
            yield old, name


class RenameCheck:
    """What a component runs before its update: fails the preview and the update that would end a subscription."""

    def __init__(self, component: str, subscriptions: Sequence[Mapping[str, Any]]) -> None:
        self.may_have_former_names = True
        """Whether the state may hold subscriptions under names of the first revisions; known once the component is
        registered."""
        self._component = component
        self._subscriptions = subscriptions

    async def refuse_renames(self, args: ResourceHookArgs) -> None:
        """Raises RunError where a subscription that stays would be renamed."""
        former = Output.from_input((args.old_inputs or {}).get("subscriptions") or [])
        names = await Output.from_input((args.old_outputs or {}).get(NAMES_OUTPUT)).future()
        listed = await former.future() or []
        # A record of another list: the update before this one failed between taking its list and recording it.
        names = names if names is not None and len(names) == len(listed) else None
        self.may_have_former_names = names is None
        previous = PreviousList(listed, names, await former.is_secret())
        endpoints = [await Output.from_input(entry["endpoint"]).future() for entry in self._subscriptions]
        renamed = list(find_renamed(previous, self._subscriptions, endpoints))
        if renamed:
            raise pulumi.RunError(
                "\n  ".join(
                    [
                        "a subscription must keep its logical name while its endpoint stays, or SNS ends it:",
                        *(
                            f"{self._component}-{old} must keep its name, got {self._component}-{name}"
                            for old, name in renamed
                        ),
                        "Deploy the list of subscriptions as it was before, then edit it. To give a subscription "
                        "another name, remove it in one update and add it in the next.",
                    ]
                )
            )

    def note_creation(self, _: ResourceHookArgs) -> None:
        """What is created now has been under no other name."""
        self.may_have_former_names = False

    def hooks(self) -> ResourceHookBinding:
        """The check as the engine runs it, in previews too."""
        options = ResourceHookOptions(on_dry_run=True)
        # Unique in the program, as the engine wants it: components with different parents may have the same name.
        name = f"{self._component}-subscriptions-{uuid.uuid4()}"
        return ResourceHookBinding(
            before_create=[ResourceHook(f"{name}-created", self.note_creation, options)],
            before_update=[ResourceHook(name, self.refuse_renames, options)],
        )


def _kind(subscription: Mapping[str, Any]) -> str:
    return f"{subscription['topic']}-{subscription['protocol']}"


def _identify(subscription: Mapping[str, Any], endpoint: str) -> tuple[str, str]:
    """What SNS may take for the same subscription."""
    return _kind(subscription), normalize_endpoint(subscription["protocol"], endpoint)
