package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"github.com/rotation-guard/rotation-guard/sdk/go/rotationguard"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		// What may be an Output, such as an endpoint, takes one; what must be known in advance is plain.
		guard, err := rotationguard.NewRotationGuard(ctx, "guard", &rotationguard.RotationGuardArgs{
			MaxAgeDays:      pulumi.IntRef(60),
			MaxAgeClasses:   []rotationguard.MaxAgeClassArgs{{Days: 7, Name: pulumi.StringRef("prod/*")}},
			RemediationMode: pulumi.StringRef("retry"),
			Subscriptions: []rotationguard.SubscriptionArgs{{
				Topic:    "critical",
				Protocol: "https",
				Endpoint: config.New(ctx, "").RequireSecret("pagerUrl"),
				Name:     pulumi.StringRef("pager"),
			}},
			Tags: map[string]string{"team": "platform"},
		})
		if err != nil {
			return err
		}
		ctx.Export("criticalTopicArn", guard.CriticalTopicArn)
		ctx.Export("dashboardUrl", guard.DashboardUrl)
		return nil
	})
}
