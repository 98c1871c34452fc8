"""The JSON Schemas of the files that commands write, whatever they print."""

from collections.abc import Mapping

from docs.schema_definitions import COUNT, MESSAGE, TEXT, TIME, Schema, list_of, map_of, or_null, record, ref
from rotation_guard.cli import saved_heads
from rotation_guard.cli.evidence import manifest

WRITTEN: Mapping[str, tuple[str, Schema]] = {
    "collection": (
        "`rotation-guard collect`",
        {"anyOf": [ref("collection"), {**list_of(ref("collection")), "minItems": 2}]},
    ),
    "evidence-manifest": (
        "`rotation-guard report --evidence`, as `manifest.json`",
        record(
            {
                "format": {"const": manifest.FORMAT},
                "generated_at": TIME,
                "as_of": TIME,
                "product_version": or_null(TEXT),
                "headline": or_null(TEXT),
                "parts": list_of(
                    record({"source": ref("source"), "identity": ref("identity"), "run_id": or_null(TEXT)})
                ),
                "unreadable": list_of(TEXT),
                "files": list_of(
                    record({"name": TEXT, "sha256": {**TEXT, "pattern": "^[0-9a-f]{64}$"}, "bytes": COUNT})
                ),
            }
        ),
    ),
    "saved-heads": (
        "`rotation-guard verify --save-heads`",
        record(
            {
                "version": {"const": saved_heads.FORMAT_VERSION},
                "saved_at": TIME,
                "source": ref("source"),
                "tables": map_of(
                    record(
                        {
                            "table_name": TEXT,
                            "heads": map_of(record({"sequence": COUNT, "hash": TEXT, "unlinked": COUNT})),
                        }
                    )
                ),
            }
        ),
    ),
    "saved-dead-letter": (
        "`rotation-guard dead-letters discard`, in each line of its file",
        record(
            {
                **MESSAGE,
                "attributes": map_of(TEXT),
                "body": TEXT,
                "discarded_by": TEXT,
                "discarded_at": TIME,
                "reason": TEXT,
            }
        ),
    ),
}
"""By the name of the schema: which command, and the shape."""
