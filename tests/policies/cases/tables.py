"""Cases of the rules about tables: recovery, protection and expiry."""

from tests.policies.programs import UNKNOWN, Case, Secret, make, program, table

RESTORED, PROTECTED = "table-is-restorable", "table-is-protected-from-deletion"
EXPIRES = "table-of-history-expires"
replica = make("aws:dynamodb/tableReplica:TableReplica")

EVERYWHERE = {"developmentStacks": []}
TTL = {"attributeName": "expires_at", "enabled": True}

CASES = [
    # --- table-is-restorable
    Case(
        RESTORED,
        "typical",
        "no point-in-time recovery",
        program(table("orders")),
        {"orders": "pointInTimeRecovery.enabled is absent"},
    ),
    Case(
        RESTORED,
        "typical",
        "switched off",
        program(table("orders", pointInTimeRecovery={"enabled": False})),
        {"orders": "is false"},
    ),
    Case(
        RESTORED,
        "variant",
        "off as text, in the list of an older provider",
        program(table("orders", pointInTimeRecovery=[{"enabled": "false"}])),
        {"orders": "enabled to true"},
    ),
    Case(
        RESTORED,
        "variant",
        "days without being on",
        program(table("orders", pointInTimeRecovery={"recoveryPeriodInDays": 7})),
        {"orders": "is absent"},
    ),
    Case(
        RESTORED, "compliant", "point-in-time recovery", program(table("orders", pointInTimeRecovery={"enabled": True}))
    ),
    Case(RESTORED, "unknown", "whether", program(table("orders", pointInTimeRecovery={"enabled": UNKNOWN}))),
    Case(RESTORED, "near miss", "on as text", program(table("orders", pointInTimeRecovery={"enabled": "true"}))),
    Case(RESTORED, "near miss", "looked up", program(external=[table("theirs")])),
    # --- table-is-protected-from-deletion
    Case(
        PROTECTED,
        "typical",
        "no deletion protection",
        program(table("orders")),
        {"orders": ("deletionProtectionEnabled is absent", "stack dev")},
        config=EVERYWHERE,
    ),
    Case(
        PROTECTED,
        "variant",
        "switched off as text, where only others are for development",
        program(table("orders", deletionProtectionEnabled="false")),
        {"orders": "is false"},
        config={"developmentStacks": ["sandbox-*", "de"]},
    ),
    Case(
        PROTECTED,
        "compliant",
        "deletion protection",
        program(table("orders", deletionProtectionEnabled=True)),
        config=EVERYWHERE,
    ),
    Case(
        PROTECTED,
        "unknown",
        "whether",
        program(table("orders", deletionProtectionEnabled=UNKNOWN)),
        config=EVERYWHERE,
    ),
    Case(PROTECTED, "near miss", "a stack for development", program(table("orders"))),
    Case(
        PROTECTED,
        "near miss",
        "a stack whose name is configured",
        program(table("orders", deletionProtectionEnabled=False)),
        config={"developmentStacks": ["d?v"]},
    ),
    # --- table-of-history-expires
    Case(
        EXPIRES,
        "typical",
        "a history table without a time to live",
        program(table("order-history")),
        {"order-history": "ttl is absent"},
    ),
    *(
        Case(EXPIRES, "variant", what, program(kept), {kept.title: words})
        for what, kept, words in [
            ("off", table("audit", ttl={"attributeName": "expires_at", "enabled": False}), "ttl.enabled is not true"),
            ("an attribute alone", table("access-log", ttl={"attributeName": "expires_at"}), "ttl.enabled"),
            ("in camel case, of a stack", table("AuditTrailTable-dev"), "ttl is absent"),
            ("entries of it", table("audit_log_entries"), "ttl"),
            ("by the name that it has in AWS", table("data", name="shop-history-prod"), "ttl"),
        ]
    ),
    Case(
        EXPIRES,
        "variant",
        "by a word of the configuration",
        program(table("ledger")),
        {"ledger": "ttl is absent"},
        config={"historyWords": ["ledger"]},
    ),
    Case(EXPIRES, "compliant", "a history table with a time to live", program(table("order-history", ttl=TTL))),
    Case(EXPIRES, "unknown", "whether", program(table("order-history", ttl=UNKNOWN))),
    Case(EXPIRES, "unknown", "a secret", program(table("audit", ttl=Secret(UNKNOWN)))),
    *(
        Case(EXPIRES, "near miss", what, program(kept))
        for what, kept in {
            "no history": table("orders"),
            "a word that ends likewise": table("catalog"),
            "a word in the middle": table("audit-users"),
            "events that nothing calls history": table("events"),
            "on as text": table("order-history", ttl={"attributeName": "expires_at", "enabled": "true"}),
            "no table": make("aws:cloudwatch/logGroup:LogGroup")("history"),
        }.items()
    ),
    # --- replicas
    Case(
        RESTORED,
        "variant",
        "replicas, in the table and by themselves",
        program(
            table("orders", pointInTimeRecovery={"enabled": True}, replicas=[{"regionName": "eu-central-1"}]),
            replica("copy", globalTableArn="t", pointInTimeRecovery=False),
        ),
        {"orders": ("eu-central-1", "is absent"), "copy": "pointInTimeRecovery is false"},
    ),
    Case(
        PROTECTED,
        "variant",
        "replicas, in the table and by themselves",
        program(
            table(
                "orders",
                deletionProtectionEnabled=True,
                replicas=[{"regionName": "eu-central-1", "deletionProtectionEnabled": False}],
            ),
            replica("copy", globalTableArn="t"),
        ),
        {"orders": ("eu-central-1", "is false"), "copy": "deletionProtectionEnabled is absent"},
        config=EVERYWHERE,
    ),
    Case(
        RESTORED,
        "compliant",
        "replicas that can be restored too",
        program(
            table(
                "orders",
                pointInTimeRecovery={"enabled": True},
                replicas=[{"regionName": "eu-central-1", "pointInTimeRecovery": True}],
            ),
            replica("copy", globalTableArn="t", pointInTimeRecovery=True),
        ),
    ),
    Case(
        RESTORED,
        "unknown",
        "the replicas",
        program(table("o", pointInTimeRecovery={"enabled": True}, replicas=UNKNOWN)),
    ),
]
