"""Which rule speaks where several find fault with one statement or one input: the most specific, and no other."""

from collections.abc import Iterator, Mapping

from .rule import Rule

ORDER = (
    # Who may use something, before what they may do with it.
    "role-trust-is-not-open",
    "queue-policy-is-not-open",
    "topic-publishers-are-limited",
    "topic-policy-is-not-open",
    "search-domain-is-not-open",
    "resource-policy-is-not-open",
    "topic-policy-for-events-has-no-condition",
    "trusted-service-acts-for-a-known-source",
    "admitted-service-acts-for-a-known-source",
    "schedule-role-trusts-its-group-alone",
    # A whole policy, before its parts.
    "no-full-access-policy-is-attached",
    # What a role is for, before what any role may do.
    "auditor-reads-no-secret",
    "state-machine-role-is-limited-to-its-calls",
    "passed-role-is-named",
    # Actions, before the resources that they are allowed on.
    "policy-lists-what-it-allows",
    "policy-names-its-actions",
    "policy-names-its-resources",
    "policy-covers-no-whole-type",
    "actions-without-resources-stand-alone",
    "inventory-names-its-type",
)
"""Rules that can find fault with the same statement, the most specific first.

The engine judges single resources before it knows the stack, so that a rule about one resource speaks before those
about the stack that share its subject.
"""
_POSITIONS: Mapping[str, int] = {name: position for position, name in enumerate(ORDER)}


def list_preceding(rule: Rule, rules: Mapping[str, Rule]) -> Iterator[Rule]:
    """The rules that speak in this one's place, of those that are judged when it is."""
    for name in ORDER[: _POSITIONS.get(rule.name, 0)]:
        if rule.needs_stack or not rules[name].needs_stack:
            yield rules[name]
