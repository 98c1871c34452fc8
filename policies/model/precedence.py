"""Chooses the rule that reports a statement or input if several find fault with it: the most specific one."""

from collections.abc import Iterator, Mapping

from .rule import Rule

ORDER = (
    # Principals, before what they may do.
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
    # Whole policies, before their statements.
    "no-full-access-policy-is-attached",
    # Rules for roles of one purpose, before rules for all roles.
    "auditor-reads-no-secret",
    "state-machine-role-is-limited-to-its-calls",
    "passed-role-is-named",
    # Actions, before resources.
    "policy-lists-what-it-allows",
    "policy-names-its-actions",
    "policy-names-its-resources",
    "policy-covers-no-whole-type",
    "actions-without-resources-stand-alone",
    "inventory-names-its-type",
)
"""Rules that can find fault with the same statement, the most specific first.

A rule about one resource comes before the stack rules on the same subject: the engine evaluates it before the stack is
known.
"""
_POSITIONS: Mapping[str, int] = {name: position for position, name in enumerate(ORDER)}


def list_preceding(rule: Rule, rules: Mapping[str, Rule]) -> Iterator[Rule]:
    """List the rules that replace this one's findings, of those that are evaluated at the same time."""
    for name in ORDER[: _POSITIONS.get(rule.name, 0)]:
        if rule.needs_stack or not rules[name].needs_stack:
            yield rules[name]
