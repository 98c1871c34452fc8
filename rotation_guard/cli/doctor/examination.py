"""What the checks know of a deployment: its outputs, where it is, and AWS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from ..deployment import Deployment
from .aws_reader import AwsReader, Response
from .expectations import Expectations, expectations
from .layout import REQUIRED, Kind, find_kind
from .link import Unanswered, cannot_tell

UPDATE_OUTPUTS = "Run `pulumi up` with this release, and write the outputs again with `pulumi stack output --json`."
_BUS = ":event-bus/"


@dataclass(frozen=True)
class Examination:
    """One deployment, examined once."""

    deployment: Deployment
    aws: AwsReader
    partition: str
    region: str
    account: str
    now: datetime

    @cached_property
    def kind(self) -> Kind:
        """What is examined: a stack, a hub or a member."""
        return find_kind(self.deployment)

    @property
    def expected(self) -> Expectations:
        """What a deployment of this kind and release consists of."""
        return expectations(self.kind)

    def expects(self, output: str) -> bool:
        """Whether this deployment has, or should have, what an output names."""
        return output in REQUIRED[self.kind] or self.has(output)

    def output(self, name: str) -> str:
        """A text among the outputs. Raises Unanswered if an older release did not export it."""
        value = self.deployment.outputs.get(name)
        if isinstance(value, str) and value:
            return value
        raise self._missing(name)

    def names(self, name: str) -> Mapping[str, str]:
        """A map of short names to names among the outputs. Raises Unanswered if there is none."""
        value = self.deployment.outputs.get(name)
        if isinstance(value, Mapping) and all(isinstance(inner, str) for inner in value.values()):
            return value
        raise self._missing(name)

    def number(self, name: str) -> int:
        """A whole number among the outputs. Raises Unanswered if an older release did not export it."""
        value = self.deployment.outputs.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
        raise self._missing(name)

    def texts(self, name: str) -> Sequence[str]:
        """A list of texts among the outputs. Raises Unanswered if an older release did not export it."""
        value = self.deployment.outputs.get(name)
        if isinstance(value, list | tuple) and all(isinstance(inner, str) for inner in value):
            return value
        raise self._missing(name)

    def has(self, output: str) -> bool:
        """Whether the outputs have this one."""
        return bool(self.deployment.outputs.get(output))

    def is_existing(self, argument: str) -> bool:
        """Whether the stack uses a resource that existed already, by the name of its argument."""
        existing = self.deployment.outputs.get("existing_arns")
        return isinstance(existing, Mapping) and argument in existing

    def read(self, action: str, **parameters: Any) -> Response | None:
        """The response to one call; None if what it names does not exist. Raises Unanswered."""
        return self.aws.read(action, **parameters)

    def read_existing(self, action: str, **parameters: Any) -> Response:
        """The same; raises Unanswered if what it names does not exist."""
        return self.aws.read_existing(action, **parameters)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def queue_arn(self, output: str) -> str:
        """The ARN of the queue whose URL, which ends with account and name, is this output."""
        account, name = self.output(output).rstrip("/").rsplit("/", 2)[-2:]
        return f"arn:{self.partition}:sqs:{self.region}:{account}:{name}"

    def function_arn(self, short: str) -> str:
        """The ARN of a function. Raises Unanswered if the outputs do not name it."""
        names = self.names("function_names")
        if short not in names:
            raise self._missing(f"function_names.{short}")
        return self.arn("lambda", f"function:{names[short]}")

    def bus(self) -> str:
        """The bus that the rules are on, by its name or its ARN. Raises Unanswered."""
        if self.kind is Kind.MEMBER:
            return "default"
        return (
            self.output("event_bus_arn").rpartition(_BUS)[2] if self.kind is Kind.HUB else self.output("event_bus_name")
        )

    def bus_arn(self) -> str:
        """The ARN of the bus that the rules are on. Raises Unanswered."""
        bus = self.bus()
        return bus if bus.startswith("arn:") else self.arn("events", f"event-bus/{bus}")

    def rule_names(self) -> Mapping[str, str]:
        """The rules by short names, those of receivers included. Raises Unanswered if the outputs name none."""
        receivers = self.names("receiver_rule_names") if self.has("receiver_rule_names") else {}
        return {**self.names("rule_names"), **receivers}

    def rule_name(self, short: str) -> str:
        """The name of a rule. Raises Unanswered if the outputs do not name it."""
        names = self.rule_names()
        if short not in names:
            raise self._missing(f"rule_names.{short}")
        return names[short]

    def rule_arn(self, short: str) -> str:
        """The ARN of a rule (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html)."""
        bus, name = self.bus().rpartition(_BUS)[2], self.rule_name(short)
        return self.arn("events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")

    def _missing(self, name: str) -> Unanswered:
        return Unanswered(cannot_tell(f"The {self.kind} does not export {name}.", UPDATE_OUTPUTS))
