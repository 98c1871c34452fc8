"""Serves the components to Pulumi's engine, for programs in any language."""

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails
from pulumi.provider import ConstructResult, server
from pulumi.provider.experimental.analyzer import ComponentDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.runtime import proto

from ..audit.audit_status import AuditStatus
from ..audit.audit_trail import AuditTrail
from ..audit.rotation_audit import RotationAudit
from ..demo.demo_secrets import DemoSecrets
from ..events.canary import RotationCanary
from ..events.management_trail import ManagementTrail
from ..events.rotation_events import RotationEvents
from ..integrations.integrations import Integrations
from ..integrations.security_findings import SecurityFindings
from ..notifications.notifications import Notifications
from ..observability.observability import Observability
from ..organization.hub import Hub
from ..organization.member import Member
from ..placement import find_placement, find_provider
from ..release import VERSION
from ..remediation.remediation import Remediation
from ..reports.scheduled_reports import ScheduledReports
from ..rotation_guard import RotationGuard
from ..settings.cross_field import CROSS_FIELD_CHECKS
from ..settings.declarations import SETTINGS
from ..settings.setting import to_camel_case
from ..settings.validation import InvalidSettings, complaints_about
from .inputs import InputReader, check_outputs, locate_complaints, rename_words
from .schema import complete_schema, write_schema

PACKAGE = "rotation-guard"
NAMESPACE = "rotation-guard"
"""Who publishes it, as Pulumi takes it from the repository's address: SDKs have it in their names."""
COMPONENTS: tuple[type[pulumi.ComponentResource], ...] = (
    RotationGuard,
    AuditStatus,
    AuditTrail,
    DemoSecrets,
    Hub,
    Integrations,
    ManagementTrail,
    Member,
    Notifications,
    Observability,
    Remediation,
    RotationAudit,
    RotationCanary,
    RotationEvents,
    ScheduledReports,
    SecurityFindings,
)
"""What the plugin offers: the whole product, each component that it consists of, and what joins many accounts."""


class RotationGuardProvider(ComponentProvider):
    """The SDK's host of components, with errors that name the property and no traceback for what a user can mend."""

    def __init__(self) -> None:
        super().__init__([*COMPONENTS], PACKAGE, NAMESPACE, VERSION)
        definitions = self._component_defs.values()
        mappings = [
            *(definition.inputs_mapping for definition in definitions),
            *(definition.outputs_mapping for definition in definitions),
            *(type_.properties_mapping for type_ in self._type_defs.values()),
        ]
        self._names = {name: key for mapping in mappings for key, name in mapping.items()}
        self.schema = self.published = write_schema(complete_schema(json.loads(self.schema or "{}"), self._names))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Creates a component; raises InputPropertiesError for bad inputs, before any resource is made."""
        self.validate_resource_type(self._name, resource_type)
        component = resource_type.rpartition(":")[2]
        if component not in self._components:
            raise InputPropertiesError(f"{resource_type} must be one of {', '.join(self._components)}", [])
        definition = self._component_defs[component]
        reader = InputReader(component, self._type_defs)
        args = reader.read(inputs, definition.inputs, definition.inputs_mapping)
        if self._components[component] is RotationGuard:
            placement = find_placement(find_provider(options))
            complaints = complaints_about(args, to_camel_case, component=name, placement=placement)
        else:
            complaints = list(_complain_about_settings(args, definition.inputs))
        self._refuse(complaints, definition, reader.errors)
        try:
            created = self._components[component](name, check_outputs(args), options)  # ty: ignore[invalid-argument-type]
        except InvalidSettings as error:
            self._refuse([rename_words(complaint, self._names) for complaint in error.complaints], definition)
            raise
        except pulumi.RunError as error:
            raise InputPropertiesError(str(error), []) from error
        return ConstructResult(created.urn, self.get_state(created, definition))

    @staticmethod
    def _refuse(
        complaints: Iterable[str], definition: ComponentDefinition, more: Iterable[InputPropertyErrorDetails] = ()
    ) -> None:
        """Raises InputPropertiesError for these complaints and errors, unless there are none."""
        located, others = locate_complaints(complaints, definition.inputs)
        errors = [*more, *located]
        if errors:
            others.insert(0, f"{'1 input' if len(errors) == 1 else f'{len(errors)} inputs'} cannot be deployed")
        if others:
            raise InputPropertiesError("; ".join(others), errors)


def _complain_about_settings(args: Mapping[str, Any], inputs: Collection[str]) -> Iterator[str]:
    """What is wrong with the settings of a component, each by itself and together with others that it has."""
    for name, setting in SETTINGS.items():
        if name in args and not (setting.may_be_output and isinstance(args[name], pulumi.Output)):
            yield from (f"{setting.key}{message}" for message in setting.check(to_camel_case, args[name]))
    keys = {setting.key for setting in SETTINGS.values()}
    for check in CROSS_FIELD_CHECKS:
        for complaint in check(args, to_camel_case, frozenset()):
            mentioned = keys.intersection(re.findall(r"\w+", complaint.partition(", got ")[0]))
            if mentioned.issubset(inputs):
                yield complaint


class _Servicer(server.ProviderServicer):
    """The SDK's server, which explains an error that shows only while Outputs become known, as it does others."""

    async def _construct(self, request: proto.ConstructRequest, context: Any) -> proto.ConstructResponse:
        try:
            return await super()._construct(request, context)
        except pulumi.RunError as error:
            raise InputPropertiesError(str(error), []) from error


def serve() -> None:
    """Serves the components until the engine ends this process; the engine's address is the first argument."""
    server.ProviderServicer = _Servicer  # ty: ignore[invalid-assignment]
    server.main(RotationGuardProvider(), sys.argv[1:])
