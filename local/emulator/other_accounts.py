"""Delivers events to event buses of other accounts, each of which is an embedded AWS of its own.

Runs inside the emulator. MiniStack knows no bus of another account, and no policy of a bus. Here:

- A rule's target, or an entry of PutEvents, may be a bus of another account. It gets the event if its policy admits
  the sender, and else refuses it: a target's event then is a dead letter at once, with NO_PERMISSIONS
  (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html), and PutEvents is denied.
- The event keeps id, time, account and Region of where it was put, and is not passed on to a third account
  (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html).

The accounts find each other by a file, which only its owner can read: account -> endpoint and root key. Who may assume
a rule's role, and what that role may do, is not checked.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import eventbridge

from . import deliveries

ACCOUNTS_VARIABLE = "ROTATION_GUARD_ACCOUNTS"
FORWARDED = "RotationGuardForwarded"
"""Parameter of PutEvents by which one emulator hands events of its account to another one."""
ORGANIZATION = "organization"
"""Key of the accounts' file with the id of the organisation that all accounts are in."""

_put_events_by_ministack = eventbridge._put_events
_put_permission_by_ministack = eventbridge._put_permission
_dispatch_to_event_bus_by_ministack = eventbridge._dispatch_to_event_bus

Record = dict[str, Any]
"""An event as MiniStack keeps it."""


def install() -> None:
    """Deliver to buses of other accounts."""
    eventbridge._put_permission = put_permission  # ty: ignore[invalid-assignment]
    eventbridge._put_events = put_events  # ty: ignore[invalid-assignment]
    eventbridge._dispatch_to_event_bus = dispatch_to_event_bus  # ty: ignore[invalid-assignment]


def put_permission(data: dict[str, Any]) -> Any:
    """Replace the policy of a bus by a whole document, which MiniStack would ignore."""
    if "Policy" not in data:
        return _put_permission_by_ministack(data)
    eventbridge._event_bus_policies[data.get("EventBusName", "default")] = json.loads(data["Policy"])
    return json_response({})


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
    """Put events on buses of this account or of others, or receive what another account sends."""
    if FORWARDED in data:
        return _receive(data[FORWARDED])
    others = {entry.get("EventBusName", "") for entry in data.get("Entries", [])} - {""}
    others = {arn for arn in others if arn.startswith("arn:") and arn.split(":")[4] != get_account_id()}
    if not others:
        return _put_events_by_ministack(data, allow_aws_source)
    [arn] = others  # All entries of one call, as the functions here make it.
    for entry in data["Entries"]:
        if entry["Source"].startswith("aws."):
            return error_response_json("NotAuthorizedForSourceException", "Not authorized for the source.", 400)
    records = [
        {
            "EventId": eventbridge.new_uuid(),
            "Source": entry["Source"],
            "DetailType": entry["DetailType"],
            "Detail": entry["Detail"],
            "Resources": entry.get("Resources", []),
            "Time": int(eventbridge._now_ts()),
            "Account": get_account_id(),
            "Region": get_region(),
        }
        for entry in data["Entries"]
    ]
    if not _send(arn, records):
        return error_response_json(
            "AccessDeniedException", f"not authorized to perform: events:PutEvents on resource: {arn}", 400
        )
    return json_response({"FailedEntryCount": 0, "Entries": [{"EventId": record["EventId"]} for record in records]})


def dispatch_to_event_bus(
    spec: Any, event: Record, rule: dict[str, Any], event_path: set[str], target_input_payload: str | None = None
) -> None:
    """Deliver to the bus of a target, retried and with dead letters if it is another account's."""
    if spec.account_id == get_account_id():
        _dispatch_to_event_bus_by_ministack(spec, event, rule, event_path, target_input_payload)
        return
    if event.get("Account") != get_account_id():
        return  # It came from another account.
    payload = json.dumps(eventbridge._pattern_event_view(event).event_with_detail())
    deliveries._attempt(_forward, str(spec), payload, event)


def _forward(bus_arn: str, payload: str, event: Record) -> None:
    if not _send(bus_arn, [{name: value for name, value in event.items() if not name.startswith("_")}]):
        raise deliveries.NotPermittedError(f"the policy of {bus_arn} does not admit account {get_account_id()}")


def _send(bus_arn: str, records: list[Record]) -> bool:
    """Hand events to the emulator of a bus's account; return whether the bus admits this account.

    Raises OSError or LookupError when that account does not respond or does not exist.
    """
    _, _, _, region, account, _ = bus_arn.split(":", 5)
    peer = _read_accounts()[account]
    body = json.dumps({FORWARDED: {"Bus": bus_arn, "Sender": get_account_id(), "Events": records}})
    headers = {"X-Amz-Target": "AWSEvents.PutEvents", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", peer["endpoint_url"] + "/", headers, body)
    credentials = boto3.Session(peer["access_key_id"], peer["secret_access_key"]).get_credentials()
    SigV4Auth(credentials, "events", region).add_auth(request)
    response = URLLib3Session(proxies={}, timeout=10).send(request.prepare())
    if response.status_code == 200:
        return True
    if response.status_code == 403:
        return False
    raise OSError(f"account {account} answered {response.status_code}: {response.text}")


def _receive(forwarded: Mapping[str, Any]) -> Any:
    """Take events of another account, if the bus admits it. The caller has this account's root key."""
    spec = parse_arn(forwarded["Bus"])
    name = spec.resource.split("/", 1)[1]
    policy = eventbridge._event_bus_policies.get(name) or {}
    organization = _read_accounts().get(ORGANIZATION)
    if name not in eventbridge._event_buses or not admits(policy, forwarded["Sender"], organization):
        return error_response_json("AccessDeniedException", f"{forwarded['Bus']} does not admit the sender", 403)
    for event in forwarded["Events"]:
        record = {**event, "EventBusName": name}
        eventbridge._dispatch_event(record, eventbridge._pattern_event_view(record))
    return json_response({})


def admits(policy: Mapping[str, Any], sender: str, organization: str | None) -> bool:
    """Whether a bus's policy lets this account of the organisation put events; it knows what our hub's policy uses."""
    for statement in policy.get("Statement", ()):
        if statement["Effect"] != "Allow" or statement["Action"] != "events:PutEvents":
            continue
        if statement["Principal"] == "*":
            required = statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"]
            if organization is not None and required == organization:
                return True
        elif sender in [_read_account(arn) for arn in _listed(statement["Principal"]["AWS"])]:
            return True
    return False


def _read_accounts() -> dict[str, Any]:
    path = os.environ.get(ACCOUNTS_VARIABLE)
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def _read_account(principal: str) -> str:
    try:
        return parse_arn(principal).account_id
    except ArnParseError:
        return principal


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
