"""Reads the lists of secrets and of versions in place of botocore's parser, which looks up the shape of every value.

That would take a quarter of the processor time of a scan. botocore has the event `before-parse` for the purpose; what
is not as AWS documents it is left to its parser.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from rotation_guard.domain.secret import DATE_FIELDS

VERSION_DATE_FIELDS = ("CreatedDate", "LastAccessedDate")
"""The dates in an entry of ListSecretVersionIds
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_SecretVersionsListEntry.html)."""
_LISTS = {
    "ListSecrets": ("SecretList", DATE_FIELDS),
    "ListSecretVersionIds": ("Versions", VERSION_DATE_FIELDS),
}
"""Operation -> the list in its response, and the dates of an entry, which are epoch seconds in AWS's JSON protocol."""


def read_lists_directly(client: Any) -> None:
    """Read the lists of secrets and of versions that this client gets without botocore's parser."""
    for operation in _LISTS:
        client.meta.events.register(f"before-parse.secrets-manager.{operation}", _read_list)


def _read_list(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    name, dates = _LISTS[operation_model.name]
    try:
        response = json.loads(response_dict["body"])
        entries = [_convert_dates(entry, dates) for entry in response.pop(name)]
        rest = json.dumps(response).encode()
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
        return
    customized_response_dict[name] = entries
    response_dict["body"] = rest


def _convert_dates(entry: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    known = {name: value for name, value in entry.items() if value is not None}
    return known | {field: datetime.fromtimestamp(known[field], UTC) for field in fields if field in known}
