"""Registers the rules with Pulumi's engine: each becomes a policy of its own, with its level, parameters and metadata.

A rule about one resource runs before the resource is created, a rule about the stack once all resources are known. The
SDK would decode every resource once per policy and lose the marks of secret values. `Server` therefore decodes each
request once, and passes it on to the SDK's server without its properties.
"""

import threading
from collections.abc import Iterable, Mapping
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
from ..model.evaluation import Evaluation
from ..model.rule import Rule
from ..model.stack import Resource, Stack, effective_inputs
from ..model.values import to_plain
from ..rules import RULES

NAME = "rotation-guard"
_LEVELS = {
    proto.ADVISORY: "advisory",
    proto.MANDATORY: "mandatory",
    proto.REMEDIATE: "remediate",
    proto.DISABLED: "disabled",
}


class Session:
    """The state of one engine run: the configuration, the inputs of each resource, and the request being answered."""

    def __init__(self) -> None:
        self.configuration = Configuration()
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._request = threading.local()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Set the configuration. Raises InvalidConfiguration."""
        self.configuration = read(config, RULES)

    def begin(self, stack: Stack) -> None:
        """Start a request about these resources, in this thread."""
        self._request.evaluation = Evaluation(stack, self.configuration)
        self._request.advisory = set()

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation of the current request."""
        return self._request.evaluation

    def end(self, response: Any) -> None:
        """End the request, and lower the level of the diagnostics whose findings are advisory.

        The SDK has one level per policy.
        """
        for diagnostic in response.diagnostics:
            if (diagnostic.policyName, diagnostic.message) in self._request.advisory:
                diagnostic.enforcementLevel = proto.ADVISORY

    def report(self, rule: Rule, settings: Mapping[str, Any], report: ReportViolation) -> None:
        """Report the findings of one rule."""
        for resource, finding in self.evaluation.complaints(rule, settings):
            report(str(finding), resource.urn if resource else None)
            if finding.is_advisory:
                # The text that the SDK makes of it.
                self._request.advisory.add((rule.name, f"{rule.description}\n{finding}"))

    def add_inputs(self, request: Any) -> Resource:
        """Read a resource that is about to be created, and keep its inputs for the evaluation of the stack."""
        resource = _read_resource(request)
        self._inputs[request.urn] = resource.props
        return resource

    def read_output(self, resource: Any) -> Resource:
        """Read a resource of the finished stack. The engine shows its outputs only; the inputs are kept from before."""
        inputs = self._inputs.get(resource.urn)
        derived_from = {key: tuple(listed.urns) for key, listed in resource.propertyDependencies.items()}
        return Resource(
            type=resource.type,
            name=resource.name,
            urn=resource.urn,
            props=effective_inputs(inputs or {}, _read_properties(resource.properties), derived_from),
            property_dependencies=derived_from,
            parent=resource.parent or None,
            # The engine calls Analyze for each resource of the program, and not for those that it reads.
            external=bool(self._inputs) and inputs is None,
            custom=bool(resource.provider.urn),
        )


def policies(session: Session, rules: Iterable[Rule] = tuple(RULES.values())) -> list[Policy]:
    """Make a policy of each rule."""
    return [_stack_policy(rule, session) if rule.needs_stack else _resource_policy(rule, session) for rule in rules]


def server(session: Session) -> type[Any]:
    """Make the class of the server, which decodes a request once and rejects an invalid configuration."""

    class Server(sdk._PolicyAnalyzerServicer):
        def Analyze(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            session.begin(Stack([session.add_inputs(request)]))
            response = super().Analyze(
                proto.AnalyzeRequest(type=request.type, urn=request.urn, name=request.name), _context
            )
            session.end(response)
            return response

        def AnalyzeStack(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            session.begin(Stack(map(session.read_output, request.resources)))
            response = super().AnalyzeStack(proto.AnalyzeStackRequest(), _context)
            session.end(response)
            return response

        def Remediate(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            session.begin(Stack([_read_resource(request)]))
            return super().Remediate(request, _context)

        def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the engine's name
            try:
                session.configure({name: _read_settings(policy) for name, policy in request.policyConfig.items()})
            except InvalidConfiguration as error:
                _context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The configuration of {NAME} is invalid. {error}")
            return super().Configure(request, _context)

    return Server


def serve() -> None:
    """Start the pack. Never returns."""
    session = Session()
    # PolicyPack looks up its server by this name.
    sdk._PolicyAnalyzerServicer = server(session)
    PolicyPack(NAME, policies(session), enforcement_level=EnforcementLevel.ADVISORY, display_name=NAME)


def _resource_policy(rule: Rule, session: Session) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in rule.types:
            session.report(rule, _settings(rule, args.get_config()), report)

    def remediate(args: ResourceValidationArgs) -> Any:
        changes = session.evaluation.remediate(rule, _settings(rule, args.get_config()))
        for key, value in changes.items():
            args.props[key] = value  # ty: ignore[invalid-assignment] - a proxy that keeps secrets secret
        return args.props if changes else None

    return ResourceValidationPolicy(
        validate=validate, remediate=remediate if rule.remediation else None, **_metadata(rule)
    )


def _stack_policy(rule: Rule, session: Session) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        session.report(rule, _settings(rule, args.get_config()), report)

    return StackValidationPolicy(validate=validate, **_metadata(rule))


def _metadata(rule: Rule) -> dict[str, Any]:
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


def _settings(rule: Rule, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return read({rule.name: dict(config)}, RULES).settings(rule)


def _read_settings(policy: Any) -> dict[str, Any]:
    return {"enforcementLevel": _LEVELS[policy.enforcementLevel], **json_format.MessageToDict(policy.properties)}


def _read_resource(request: Any) -> Resource:
    return Resource(request.type, request.name, request.urn, _read_properties(request.properties))


def _read_properties(struct: Any) -> dict[str, Any]:
    return to_plain(json_format.MessageToDict(struct))
