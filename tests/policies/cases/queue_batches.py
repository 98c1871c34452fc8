"""Cases of the rules about functions that read a queue: failed messages in a batch, and filters on an audit queue."""

from tests.policies.cases.invocations import ELSEWHERE, PATTERN, REPORTS, WHOLE, audit, mapping_of, orders, reader
from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, make, program, queue

CASES = [
    # --- queue-reader-reports-item-failures
    Case(
        REPORTS,
        "typical",
        "no response types",
        program(orders, reader, mapping_of()),
        {"reads": ("is absent", "ReportBatchItemFailures")},
    ),
    Case(
        REPORTS,
        "variant",
        "an empty list, of a queue elsewhere",
        program(reader, mapping_of(ELSEWHERE, functionResponseTypes=[])),
        {"reads": "whole batch"},
    ),
    Case(
        REPORTS,
        "variant",
        "ten at a time, said",
        program(orders, reader, mapping_of(batchSize=10)),
        {"reads": "functionResponseTypes"},
    ),
    Case(
        REPORTS,
        "compliant",
        "ReportBatchItemFailures",
        program(orders, reader, mapping_of(functionResponseTypes=["ReportBatchItemFailures"])),
    ),
    Case(REPORTS, "unknown", "the source", program(reader, mapping_of(UNKNOWN))),
    Case(REPORTS, "unknown", "the types", program(orders, reader, mapping_of(functionResponseTypes=UNKNOWN))),
    Case(REPORTS, "unknown", "one type", program(orders, reader, mapping_of(functionResponseTypes=[UNKNOWN]))),
    Case(REPORTS, "near miss", "one at a time", program(orders, reader, mapping_of(batchSize="1"))),
    Case(REPORTS, "near miss", "a stream", program(reader, mapping_of(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"))),
    Case(
        REPORTS,
        "near miss",
        "as one text",
        program(orders, reader, mapping_of(functionResponseTypes="ReportBatchItemFailures")),
    ),
    # --- audit-queue-is-read-whole
    Case(
        WHOLE,
        "typical",
        "a filter on a queue that is tagged as audit",
        program(audit, reader, mapping_of(audit.arn, filterCriteria=PATTERN)),
        {"reads": ("orders", "filterCriteria")},
    ),
    *(
        Case(
            WHOLE,
            "variant",
            what,
            program(marked, reader, mapping_of(marked.arn, filterCriteria=PATTERN)),
            {"reads": marked.title},
        )
        for what, marked in {
            "by a tag's value": queue("orders", tags={"purpose": "Audit"}),
            "by a tag alone": queue("orders", tags={"audit": ""}),
            "by its name": queue("audit-events"),
            "by its name, in camel case": queue("ordersAuditQueue"),
            "by the name that it has in AWS": queue("q", name="shop_audit"),
        }.items()
    ),
    Case(
        WHOLE,
        "variant",
        "by a word of the configuration",
        program(queue("ledger"), reader, mapping_of(queue("ledger").arn, filterCriteria=PATTERN)),
        {"reads": "ledger"},
        config={"auditWords": ["ledger"]},
    ),
    Case(WHOLE, "compliant", "no filter", program(audit, reader, mapping_of(audit.arn))),
    Case(WHOLE, "unknown", "the filter", program(audit, reader, mapping_of(audit.arn, filterCriteria=UNKNOWN))),
    Case(WHOLE, "unknown", "the queue", program(audit, reader, mapping_of(UNKNOWN, filterCriteria=PATTERN))),
    Case(WHOLE, "near miss", "another queue", program(orders, reader, mapping_of(filterCriteria=PATTERN))),
    Case(
        WHOLE,
        "near miss",
        "filters, but none",
        program(audit, reader, mapping_of(audit.arn, filterCriteria={"filters": []})),
    ),
    *(
        Case(WHOLE, "near miss", what, program(other, reader, mapping_of(other.arn, filterCriteria=PATTERN)))
        for what, other in {
            "marked as none": queue("orders", tags={"audit": "false"}),
            "a word that begins likewise": queue("auditorium-tickets"),
        }.items()
    ),
    # --- what else filters
    Case(
        WHOLE,
        "variant",
        "a pipe",
        program(
            audit,
            make("aws:pipes/pipe:Pipe")("pipe", source=audit.arn, sourceParameters={"filterCriteria": PATTERN}),
        ),
        {"pipe": "sourceParameters.filterCriteria is set"},
    ),
]
