"""Gives the rules to Pulumi's engine: each becomes a policy of its own, with its level, parameters and metadata.

A rule about one resource is judged before the resource is made, one about the stack when all of it is known. Pulumi's
SDK decodes every resource once for each policy, and loses on the way what was secret. Here a request is decoded once,
and the SDK's own server, which does all the rest, gets it without the properties.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from pulumi.runtime import proto
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import policy as sdk

from ..model.configuration import Configuration, InvalidConfiguration, read
from ..model.evaluation import Judgement, exemptions_of
from ..model.rule import Rule
from ..model.stack import Resource, Stack, asked_for
from ..model.values import plain
from ..rules import RULES

NAME = "rotation-guard"
_LEVELS = {
    proto.ADVISORY: "advisory",
    proto.MANDATORY: "mandatory",
    proto.REMEDIATE: "remediate",
    proto.DISABLED: "disabled",
}


class Session:
    """What one run of the engine has told so far: the configuration, and what was asked for of each resource."""

    def __init__(self) -> None:
        self.configuration = Configuration()
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._now = threading.local()

    def configure(self, given: Mapping[str, Any]) -> None:
        """Take the configuration. Raises InvalidConfiguration."""
        self.configuration = read(given, RULES)

    def begin(self, stack: Stack) -> None:
        """Judge this, in this thread, until the end."""
        self._now.judgement = Judgement(stack, self.configuration)
        self._now.advisory = set()

    def end(self, answer: Any) -> None:
        """The request has been answered: lower the level of those diagnostics whose findings are advisory.

        The SDK knows one level for each policy.
        """
        for one in answer.diagnostics if answer is not None else ():
            if (one.policyName, one.message) in self._now.advisory:
                one.enforcementLevel = proto.ADVISORY
        self._now.judgement = None

    def judgement(self, show: Callable[[], Stack]) -> Judgement:
        """What is being judged; as the SDK shows it, where the policies run in another server than ours."""
        return getattr(self._now, "judgement", None) or Judgement(show(), self.configuration)

    def report(self, rule: Rule, settings: Mapping[str, Any], judgement: Judgement, report: ReportViolation) -> None:
        """Report what one rule finds."""
        for resource, finding in judgement.complaints(rule, settings):
            report(str(finding), resource.urn if resource else None)
            if finding.is_advisory and getattr(self._now, "judgement", None) is not None:
                # As the SDK writes it.
                self._now.advisory.add((rule.name, f"{rule.description}\n{finding}"))

    def asked(self, type_: str, name: str, urn: str, inputs: dict[str, Any]) -> Resource:
        """A resource that is about to be made."""
        self._inputs[urn] = inputs
        return Resource(type_, name, urn, inputs)

    def known(self, urn: str, outputs: dict[str, Any], made_of: Mapping[str, tuple[str, ...]], **more: Any) -> Resource:
        """A resource among all. The engine shows its outputs alone: what was asked for is known from before."""
        inputs = self._inputs.get(urn)
        return Resource(
            urn=urn,
            props=asked_for(inputs or {}, outputs, made_of),
            property_dependencies=made_of,
            # The engine asks about everything that the program makes, and about nothing that it looks up.
            looked_up=bool(self._inputs) and inputs is None,
            **more,
        )


def policies(session: Session) -> list[Policy]:
    """Every rule as a policy."""
    return [
        _stack_policy(rule, session) if rule.of_stack else _resource_policy(rule, session) for rule in RULES.values()
    ]


def server(session: Session) -> type[Any]:
    """The SDK's server, which decodes a request once and refuses a configuration that is wrong."""

    class Server(sdk._PolicyAnalyzerServicer):
        def Analyze(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            bare = proto.AnalyzeRequest(type=request.type, urn=request.urn, name=request.name)
            inputs = _properties(request.properties)
            stack = Stack([session.asked(request.type, request.name, request.urn, inputs)])
            return self._answered(stack, lambda: super(Server, self).Analyze(bare, _context))

        def AnalyzeStack(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            stack = Stack(_known(session, one) for one in request.resources)
            bare = proto.AnalyzeStackRequest()
            return self._answered(stack, lambda: super(Server, self).AnalyzeStack(bare, _context))

        def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            try:
                session.configure({name: _configured(one) for name, one in request.policyConfig.items()})
            except InvalidConfiguration as problem:
                _context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The configuration of {NAME} is wrong. {problem}")
            return super().Configure(request, _context)

        def _answered(self, stack: Stack, answer: Callable[[], Any]) -> Any:
            session.begin(stack)
            given = None
            try:
                given = answer()
            finally:
                session.end(given)
            return given

    return Server


def serve() -> None:
    """Start the pack. Never returns."""
    session = Session()
    # PolicyPack makes its server by this name.
    sdk._PolicyAnalyzerServicer = server(session)
    PolicyPack(NAME, policies(session), enforcement_level=EnforcementLevel.ADVISORY, display_name=NAME)


def _resource_policy(rule: Rule, session: Session) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        judgement = session.judgement(lambda: Stack([_shown(session, args)]))
        if args.resource_type in rule.types:
            session.report(rule, _settings(rule, args.get_config()), judgement, report)

    def remediate(args: ResourceValidationArgs) -> Any:
        if args.resource_type not in rule.types:
            return None
        resource = _shown(session, args)
        if exemptions_of(Stack([resource]), session.configuration).exempt(rule, resource):
            return None
        changes = rule.mended(resource, _settings(rule, args.get_config()))
        for key, value in changes.items():
            args.props[key] = value  # ty: ignore[invalid-assignment] - a proxy that keeps secrets secret
        return args.props if changes else None

    return ResourceValidationPolicy(validate=validate, remediate=remediate if rule.remedy else None, **_about(rule))


def _stack_policy(rule: Rule, session: Session) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        judgement = session.judgement(lambda: Stack(_shown_resource(session, one) for one in args.resources))
        session.report(rule, _settings(rule, args.get_config()), judgement, report)

    return StackValidationPolicy(validate=validate, **_about(rule))


def _about(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "description": rule.description,
        "enforcement_level": EnforcementLevel(rule.enforcement),
        "severity": Severity(rule.severity),
        "url": rule.link,
        "remediation_steps": rule.fix,
        "display_name": rule.name.replace("-", " ").capitalize(),
        "tags": [rule.subject],
        "config_schema": PolicyConfigSchema({name: dict(schema) for name, schema in rule.parameters.items()})
        if rule.parameters
        else None,
    }


def _settings(rule: Rule, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return read({rule.name: dict(given)}, RULES).settings(rule)


def _configured(one: Any) -> dict[str, Any]:
    return {"enforcementLevel": _LEVELS[one.enforcementLevel], **json_format.MessageToDict(one.properties)}


def _properties(struct: Any) -> dict[str, Any]:
    return plain(json_format.MessageToDict(struct))


def _known(session: Session, one: Any) -> Resource:
    return session.known(
        one.urn,
        _properties(one.properties),
        {key: tuple(found.urns) for key, found in one.propertyDependencies.items()},
        type=one.type,
        name=one.name,
        dependencies=tuple(one.dependencies),
        parent=one.parent or None,
        provider=one.provider.urn or None,
        custom=bool(one.provider.urn),
    )


# --- in a server that is not ours: what the SDK shows ----------------------------------------------------------------


def _shown(session: Session, args: ResourceValidationArgs) -> Resource:
    return session.asked(args.resource_type, args.name, args.urn, plain(_bare(args.props)))


def _shown_resource(session: Session, one: Any) -> Resource:
    return session.known(
        one.urn,
        plain(_bare(one.props)),
        {key: tuple(each.urn for each in found) for key, found in one.property_dependencies.items()},
        type=one.resource_type,
        name=one.name,
        dependencies=tuple(each.urn for each in one.dependencies),
        parent=one.parent.urn if one.parent else None,
        provider=one.provider.urn if one.provider else None,
        custom=one.provider is not None,
    )


def _bare(value: Any) -> Any:
    """What is behind the SDK's proxies, which raise at the sight of an unknown value."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return _bare(value["__target"])
    if isinstance(value, Mapping):
        return {key: _bare(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | list):
        try:
            return _bare(value["__target"])
        except (KeyError, TypeError):
            return value
    return [_bare(inner) for inner in value] if isinstance(value, list) else value
