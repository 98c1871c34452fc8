import * as pulumi from "@pulumi/pulumi";
import { AuditStatus, AuditTrail, RotationGuard } from "@rotation-guard/rotation-guard";

const config = new pulumi.Config();

// The whole product: what may be an Output, such as an endpoint, takes one; what must be known in advance is plain.
const guard = new RotationGuard("guard", {
    maxAgeDays: 60,
    maxAgeClasses: [{ days: 7, name: "prod/*" }],
    remediationMode: "retry",
    subscriptions: [
        {
            topic: "critical",
            protocol: "https",
            endpoint: config.requireSecret("pagerUrl"),
            name: "pager",
            filterPolicy: { severity: ["OUTAGE", "AT RISK"] },
        },
    ],
    tags: { team: "platform" },
});

// Two of its parts by themselves: an audit trail that notes each new value in a table of audit status.
const status = new AuditStatus("orders-status");
const trail = new AuditTrail("orders-trail", {
    statusTableName: status.tableName,
    statusTableArn: status.tableArn,
});

export const criticalTopicArn = guard.criticalTopicArn;
export const dashboardUrl = guard.dashboardUrl;
export const trailQueueArn = trail.queueArn;
