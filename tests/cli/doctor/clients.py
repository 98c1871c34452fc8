"""Clients of an AWS that is a Python object: with boto3, and without."""

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from local.mocks.recording import REGION

from .deployed_aws import DeployedAws, Refusal
from .responses import Values

_IAM_PREFIXES = {"monitoring": "cloudwatch"}
"""Signing name -> prefix of IAM actions, where they differ."""


def connect(aws: DeployedAws) -> Mapping[str, Callable[..., Any]]:
    """Handlers of a client's events that answer its calls as this AWS does, without a connection."""

    def note(params: Values, context: Values, **_: Any) -> None:
        context["parameters"] = params

    def respond(model: Any, context: Values, **_: Any) -> tuple[AWSResponse, Values]:
        name = model.service_model.signing_name
        service = _IAM_PREFIXES.get(name, name)
        try:
            response = aws.answer(f"{service}:{model.name}", context["parameters"])
            return AWSResponse("", 200, {}, None), _encode_policies(response) if service == "iam" else response
        except Refusal as refusal:
            return AWSResponse("", 400, {}, None), refusal.response

    return {"provide-client-params": note, "before-call": respond}


class DirectClient:
    """A client of this AWS without boto3, whose share of a call is most of its time."""

    def __init__(self, aws: DeployedAws, service: str) -> None:
        self._aws = aws
        self._prefix = {"stepfunctions": "states"}.get(service, service)
        self.meta = SimpleNamespace(region_name=REGION, events=SimpleNamespace(register=lambda *_: None))

    def can_paginate(self, method: str) -> bool:
        return False

    def __getattr__(self, method: str) -> Callable[..., Values]:
        operation = "".join(word.capitalize() for word in method.split("_"))

        def call(**parameters: Any) -> Values:
            try:
                return self._aws.answer(f"{self._prefix}:{operation}", parameters)
            except Refusal as refusal:
                raise ClientError(refusal.response, operation) from None

        return call


def _encode_policies(value: Any) -> Any:
    """Policies as IAM returns them (https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html)."""
    if not isinstance(value, dict):
        return value
    return {
        key: quote(json.dumps(inner)) if key.endswith("PolicyDocument") else _encode_policies(inner)
        for key, inner in value.items()
    }
