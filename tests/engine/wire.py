"""Properties as Pulumi's protocol writes them: texts that are not known yet, archives and assets, numbers.

(https://github.com/pulumi/pulumi/blob/master/sdk/proto/README.md)
"""

import importlib
from collections.abc import Mapping
from typing import Any

import pulumi

from local.mocks.engine import to_plain

struct_pb2: Any = importlib.import_module("google.protobuf.struct_pb2")
"""Its classes come about when it is imported: no type checker sees them."""
empty_pb2: Any = importlib.import_module("google.protobuf.empty_pb2")
empty = empty_pb2.Empty

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A text that is not known yet."""
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_ARCHIVE, _ASSET = "0def7320c3a5731c473e5ecbe6d01bc7", "c44067f5952c0a294b673a41bacd8c17"

Properties = dict[str, Any]


def digest(archive: Any) -> str | None:
    """The hash of an archive's contents; None for anything else."""
    return archive.wire.fields["hash"].string_value if isinstance(archive, pulumi.Archive) else None


def read(struct: struct_pb2.Struct) -> Properties:
    """The properties of a message, whole numbers as such."""
    return {key: to_plain(_read_value(value)) for key, value in struct.fields.items()}


def _read_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if _SIGNATURE in fields and fields[_SIGNATURE].string_value in (_ARCHIVE, _ASSET):
            return _read_asset(fields)
        return {key: _read_value(inner) for key, inner in fields.items()}
    if kind == "list_value":
        return [_read_value(inner) for inner in value.list_value.values]
    return None if kind == "null_value" else getattr(value, str(kind))


def _read_asset(fields: Mapping[str, Any]) -> Any:
    """An archive or asset, with its form on the wire; what the state keeps of one is its hash alone."""
    # A field that is asked for and is not there would be there from then on.
    wire = {name: fields[name] for name in fields}
    path = wire["path"].string_value if "path" in wire else ""
    if wire[_SIGNATURE].string_value == _ASSET:
        text = wire["text"].string_value if "text" in wire else ""
        asset: Any = pulumi.FileAsset(path) if path else pulumi.StringAsset(text)
    elif path:
        asset = pulumi.FileArchive(path)
    else:
        inner = wire["assets"].struct_value.fields if "assets" in wire else {}
        asset = pulumi.AssetArchive({name: _read_value(inner[name]) for name in inner})
    # Not a field of the SDK's classes: what the engine sent is handed back as it was.
    setattr(asset, "wire", struct_pb2.Struct(fields=wire))  # noqa: B010
    return asset


def write(properties: Properties) -> struct_pb2.Struct:
    return struct_pb2.Struct(fields={key: _write_value(value) for key, value in properties.items()})


def _write_value(value: Any) -> struct_pb2.Value:
    if isinstance(value, pulumi.Archive | pulumi.Asset):
        return struct_pb2.Value(struct_value=value.wire)
    if isinstance(value, dict):
        return struct_pb2.Value(struct_value=write(value))
    if isinstance(value, list):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_write_value(inner) for inner in value]))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    return struct_pb2.Value(string_value=str(value))
