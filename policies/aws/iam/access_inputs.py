"""Every input of Pulumi's AWS provider that grants access, with the rule or the reason for which none is needed.

A test reads the provider's classes: each input with a policy, a principal, an authorization type or a managed policy
must be in one of these tables. Types without a name in `resource_types` are written as in a URN.
"""

from collections.abc import Mapping

from ...model import resource_types

RESOURCE_POLICIES: Mapping[str, str] = {
    resource_types.QUEUE: "policy",
    resource_types.QUEUE_POLICY: "policy",
    resource_types.TOPIC: "policy",
    resource_types.TOPIC_POLICY: "policy",
    **dict.fromkeys(resource_types.KEYS, "policy"),
    resource_types.KEY_POLICY: "policy",
    resource_types.SECRET: "policy",
    resource_types.SECRET_POLICY: "policy",
    resource_types.EVENT_BUS_POLICY: "policy",
    "aws:schemas/registryPolicy:RegistryPolicy": "policy",
    **dict.fromkeys(resource_types.BUCKETS, "policy"),
    resource_types.BUCKET_POLICY: "policy",
    "aws:s3/accessPoint:AccessPoint": "policy",
    "aws:s3/filesFileSystemPolicy:FilesFileSystemPolicy": "policy",
    "aws:s3/vectorsVectorBucketPolicy:VectorsVectorBucketPolicy": "policy",
    "aws:s3control/accessPointPolicy:AccessPointPolicy": "policy",
    "aws:s3control/accessGrantsInstanceResourcePolicy:AccessGrantsInstanceResourcePolicy": "policy",
    "aws:s3control/bucketPolicy:BucketPolicy": "policy",
    "aws:s3control/multiRegionAccessPointPolicy:MultiRegionAccessPointPolicy": "details.policy",
    "aws:s3control/objectLambdaAccessPointPolicy:ObjectLambdaAccessPointPolicy": "policy",
    "aws:s3tables/tableBucketPolicy:TableBucketPolicy": "resourcePolicy",
    "aws:s3tables/tablePolicy:TablePolicy": "resourcePolicy",
    "aws:fsx/s3AccessPointAttachment:S3AccessPointAttachment": "s3AccessPoint.policy",
    resource_types.REPOSITORY_POLICY: "policy",
    "aws:ecr/registryPolicy:RegistryPolicy": "policy",
    "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": "repositoryPolicy",
    "aws:ecrpublic/repositoryPolicy:RepositoryPolicy": "policy",
    resource_types.TABLE_POLICY: "policy",
    resource_types.FUNCTION_POLICY: "policy",
    resource_types.FILE_SYSTEM_POLICY: "policy",
    resource_types.LOG_RESOURCE_POLICY: "policyDocument",
    "aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy": "accessPolicy",
    "aws:cloudwatch/logDeliveryDestinationPolicy:LogDeliveryDestinationPolicy": "deliveryDestinationPolicy",
    "aws:acmpca/policy:Policy": "policy",
    "aws:amp/resourcePolicy:ResourcePolicy": "policyDocument",
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:cloudsearch/domainServiceAccessPolicy:DomainServiceAccessPolicy": "accessPolicy",
    "aws:codeartifact/domainPermissions:DomainPermissions": "policyDocument",
    "aws:codeartifact/repositoryPermissionsPolicy:RepositoryPermissionsPolicy": "policyDocument",
    "aws:codebuild/resourcePolicy:ResourcePolicy": "policy",
    "aws:dsql/clusterPolicy:ClusterPolicy": "policy",
    "aws:glacier/vault:Vault": "accessPolicy",
    "aws:glacier/vaultLock:VaultLock": "policy",
    "aws:glue/resourcePolicy:ResourcePolicy": "policy",
    "aws:kinesis/resourcePolicy:ResourcePolicy": "policy",
    "aws:mediastore/containerPolicy:ContainerPolicy": "policy",
    "aws:msk/clusterPolicy:ClusterPolicy": "policy",
    "aws:networkfirewall/resourcePolicy:ResourcePolicy": "policy",
    "aws:oam/sinkPolicy:SinkPolicy": "policy",
    "aws:opensearchingest/resourcePolicy:ResourcePolicy": "policy",
    "aws:organizations/resourcePolicy:ResourcePolicy": "content",
    "aws:pinpoint/smsvoicev2ResourcePolicy:Smsvoicev2ResourcePolicy": "policy",
    "aws:redshift/resourcePolicy:ResourcePolicy": "policy",
    "aws:redshiftserverless/resourcePolicy:ResourcePolicy": "policy",
    "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy": "resourcePolicy",
    "aws:ses/identityPolicy:IdentityPolicy": "policy",
    "aws:sesv2/emailIdentityPolicy:EmailIdentityPolicy": "policy",
    "aws:vpclattice/resourcePolicy:ResourcePolicy": "policy",
    "aws:xray/resourcePolicy:ResourcePolicy": "policyDocument",
}
"""Resource policies: the property by the resource type."""

SEARCH_DOMAINS: Mapping[str, str] = dict.fromkeys(
    (*resource_types.SEARCH_DOMAINS, *resource_types.SEARCH_DOMAIN_POLICIES), "accessPolicies"
)
"""Resource policies of search domains: whether Principal * is public depends on the network and on fine-grained access
control."""

NARROWING_POLICIES: Mapping[str, str] = {
    "aws:apigateway/domainName:DomainName": "policy",
    resource_types.REST_API: "policy",
    resource_types.REST_API_POLICY: "policy",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
    "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy": "policy",
    "aws:vpclattice/authPolicy:AuthPolicy": "policy",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "policy",
    "aws:organizations/policy:Policy": "content",
    "aws:rolesanywhere/profile:Profile": "sessionPolicy",
    "aws:transfer/access:Access": "policy",
    "aws:transfer/user:User": "policy",
}
"""Policies that only restrict: the rules check that their actions exist.

Principal * in the policy of an endpoint, a private domain name or a service network means the callers in its network,
which is AWS's default (https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html). In the policy of
an API it means the callers that its methods authorize, which api-authorizes-its-callers checks
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html).
"""

TRUST_POLICIES: Mapping[str, str] = {resource_types.ROLE: "assumeRolePolicy"}
"""Trust policies."""

IDENTITY_POLICIES: Mapping[str, str] = {
    resource_types.ROLE_POLICY: "policy",
    resource_types.POLICY: "policy",
    resource_types.USER_POLICY: "policy",
    resource_types.GROUP_POLICY: "policy",
    resource_types.PERMISSION_SET_POLICY: "inlinePolicy",
    "aws:iot/policy:Policy": "policy",
}
"""Identity policies: the property by the resource type."""

INLINE_POLICIES: Mapping[str, str] = {resource_types.ROLE: "inlinePolicies.policy"}
"""Inline identity policies."""

ATTACHED_POLICIES: Mapping[str, str] = {
    **dict.fromkeys(resource_types.POLICY_ATTACHMENTS, "policyArn"),
    **dict.fromkeys(resource_types.EXCLUSIVE_POLICY_ATTACHMENTS, "policyArns"),
    resource_types.ROLE: "managedPolicyArns",
    "aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment": "managedPolicyArn",
    "aws:ssoadmin/managedPolicyAttachmentsExclusive:ManagedPolicyAttachmentsExclusive": "managedPolicyArns",
}
"""Attachments of managed policies to roles, users, groups and permission sets."""

PERMISSIONS: Mapping[str, str] = {
    resource_types.FUNCTION_PERMISSION: "principal",
    resource_types.EVENT_PERMISSION: "principal",
    "aws:lambda/layerVersionPermission:LayerVersionPermission": "principal",
}
"""Resources that are a statement of a resource policy: the property with the principal."""

ENDPOINT_SERVICES: Mapping[str, str] = {
    resource_types.ENDPOINT_SERVICE: "allowedPrincipals",
    resource_types.ENDPOINT_SERVICE_PRINCIPAL: "principalArn",
}
"""Principals that may connect to an endpoint service."""

AUTHORIZATION: Mapping[str, str] = {
    resource_types.FUNCTION_URL: "authorizationType",
    resource_types.API_METHOD: "authorization",
    resource_types.API_ROUTE: "authorizationType",
}
"""Authorization types of APIs and function URLs."""

PUBLIC_GRANTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(resource_types.BUCKETS, ("acl", "grants.uri")),
    **dict.fromkeys(resource_types.BUCKET_ACLS, ("acl", "accessControlPolicy.grants.grantee.uri")),
    "aws:s3/bucketObject:BucketObject": ("acl",),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("acl",),
    "aws:s3/objectCopy:ObjectCopy": ("acl", "grants.uri"),
    "aws:storagegateway/nfsFileShare:NfsFileShare": ("objectAcl",),
    "aws:storagegateway/smbFileShare:SmbFileShare": ("objectAcl",),
    "aws:dms/s3Endpoint:S3Endpoint": ("cannedAclForObjects",),
    "aws:iot/topicRule:TopicRule": ("s3.cannedAcl", "errorAction.s3.cannedAcl"),
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": ("group",),
    "aws:rds/snapshot:Snapshot": ("sharedAccounts",),
    "aws:rds/snapshotCopy:SnapshotCopy": ("sharedAccounts",),
    "aws:rds/clusterSnapshot:ClusterSnapshot": ("sharedAccounts",),
    "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy": ("sharedAccounts",),
    "aws:ssm/document:Document": ("permissions.accountIds",),
    "aws:cognito/identityPool:IdentityPool": ("allowUnauthenticatedIdentities",),
}
"""Inputs other than policies that can make a resource public."""

ACCESS_BLOCKS: Mapping[str, str] = {
    resource_types.BUCKET_BLOCK: "",
    resource_types.ACCOUNT_BLOCK: "",
    "aws:s3/accessPoint:AccessPoint": "publicAccessBlockConfiguration",
}
"""Public access blocks, with the object that has the four settings."""

NOT_CHECKED: Mapping[str, tuple[str, ...]] = {
    "A policy of another kind, not about access: frequency, duration, placement or order.": (
        "*.*RoutingPolicies",
        "*.*RoutingPolicy",
        "*.actionFailurePolicy",
        "*.alpnPolicy",
        "*.archivePolicy",
        "*.auto*Policy",
        "*.backupPolicy",
        "*.clientPolicy",
        "*.contentSecurityPolicy",
        "*.createBasePolicy",
        "*.dataDeletionPolicy",
        "*.defaultPolicy",
        "*.delet*Policy",
        "*.deliveryPolicy",
        "*.dnsPolicy",
        "*.enterprisePolicies",
        "*.fairSharePolicy",
        "*.filterPolicy",
        "*.forceDetachPolicies",
        "*.https*Policy",
        "*.idlePolicy",
        "*.imagePullPolicy",
        "*.instance*Policy",
        "*.lifecyclePolic*",
        "*.mixedInstancesPolicy",
        "*.notificationPolicy",
        "*.originProtocolPolicy",
        "*.paddingPolicy",
        "*.passwordPolicy",
        "*.playerLatencyPolicies",
        "*.protocolPolicy",
        "*.pullRequestBuildPolicy",
        "*.recrawlPolicy",
        "*.redrive*Policy",
        "*.referrerPolicy",
        "*.replayPolicy",
        "*.resourceCreationLimitPolicy",
        "*.restartPolicy",
        "*.retentionPolicy",
        "*.retryPolicy",
        "*.routingPolicy",
        "*.scal*Polic*",
        "*.schedulingPolicyArn",
        "*.schemaChangePolicy",
        "*.securityPolicy",
        "*.sizingPolicy",
        "*.snapshotPolicy",
        "*.sslPolicy",
        "*.streamExceptionPolicy",
        "*.terminationPolicies",
        "*.tieringPolicy",
        "*.tls*Policy",
        "*.update*Policy",
        "*.upgradePolicy",
        "*.viewerProtocolPolicy",
        "*.webAppEndpointPolicy",
        "*.*UpdatePolicy",
        "*.*ProtectionPolicy",
        "*.*TerminationPolicy",
        "cfg/*.*policyText",
        "cloudformation/stack.policyBody",
        "cloudwatch/logAccountPolicy.policyDocument",
        "cloudwatch/logDataProtectionPolicy.policyDocument",
        "cloudwatch/logIndexPolicy.policyDocument",
        "cognito/userPool.signInPolicy",
        "drs/replicationConfigurationTemplate.pitPolicies",
        "ecr/lifecyclePolicy.policy",
        "fms/policy.*",
        "lambda/codeSigningConfig.policies",
        "networkfirewall/firewall*.*",
        "networkmanager/*.*",
        "opensearch/serverlessLifecyclePolicy.policy",
        "resiliencehub/*.*",
        "securityhub/configurationPolicy.configurationPolicy",
        "ses/receiptFilter.policy",
        "sns/dataProtectionPolicy.policy",
        "workspacesweb/browserSettings.browserPolicy",
    ),
    "It restricts an identity, and grants nothing.": (
        "budgets/budgetAction.*",
        "chatbot/*.guardrailPolicyArns",
        "emr/studioSessionMapping.sessionPolicyArn",
        "odb/network.*PolicyDocument",
        "rolesanywhere/profile.managedPolicyArns",
        "s3*/*.*blockPublicPolicy",
        "secretsmanager/secretPolicy.blockPublicPolicy",
        "ssoadmin/permissionsBoundaryAttachment.*",
    ),
    "Only connected networks reach a service network of VPC Lattice.": (
        "vpclattice/service.authType",
        "vpclattice/serviceNetwork.authType",
    ),
    "A policy language other than IAM's.": (
        "bedrock/agentcoreGatewayRule.*",
        "opensearch/serverlessAccessPolicy.policy",
        "opensearch/serverlessSecurityPolicy.policy",
        "verifiedaccess/*.policyDocument",
        "verifiedpermissions/*.*",
    ),
    "Callers need an OAuth token, which the authorizer checks.": (
        "agentregistry/*.*",
        "bedrock/agentcore*.authorizerType",
        "bedrock/agentcoreResourcePolicy.policy",
    ),
    "Callers need a key, a token or a user of the API; API_KEY is one (https://docs.aws.amazon.com/appsync/latest/"
    "devguide/security-authz.html).": (
        "appsync/*.*",
        "iot/domainConfiguration.authenticationType",
        "apigatewayv2/authorizer.authorizerType",
        "lambda/permission.functionUrlAuthType",
    ),
    "Authentication to another service, or of a product's own users.": (
        "*.clientAuthenticationMethod",
        "*.customAuthMode",
        "*.customAuthenticationType",
        "*.defaultAuthenticationMethod",
        "*.kerberosPrincipal",
        "*.platformPrincipal",
        "appfabric/*.authType",
        "appflow/*.*",
        "appstream/*.authenticationType",
        "athena/*.*authenticationType",
        "bedrock/agentDataSource.*",
        "cloudwatch/eventConnection.authorizationType",
        "bedrock/agentcoreOauth2CredentialProvider.*",
        "codebuild/sourceCredential.authType",
        "datasync/*.*",
        "dms/*.*uth*",
        "docdb/elasticCluster.authType",
        "eks/cluster.*",
        "elasticache/user.authenticationMode",
        "memorydb/user.authenticationMode",
        "emr/studio.authMode",
        "glue/connection.*",
        "mskconnect/connector.*",
        "quicksight/accountSubscription.authenticationMethod",
        "rds/proxy.*",
        "redshift/idcApplication.*",
        "sagemaker/domain.authMode",
        "transfer/server.*",
        "workspacesweb/portal.authenticationType",
    ),
    "Its principal is one account, role, user, group, directory entry or service: * is not valid.": (
        "accountaccess/*.*",
        "acmpca/permission.principal",
        "datazone/policyGrant.principal",
        "ecr/pullTimeUpdateExclusion.principalArn",
        "eks/access*.*",
        "globalaccelerator/crossAccountAttachment.principals",
        "iot/policyAttachment.policy",
        "iot/thingPrincipalAttachment.principal",
        "kms/grant.*",
        "lakeformation/*.*",
        "licensemanager/licenseGrant.principal",
        "lightsail/containerService.*",
        "organizations/*.*",
        "quicksight/*.*",
        "ram/principalAssociation.principal",
        "ram/resourceShareAssociationsExclusive.principals",
        "s3control/accessGrant.*",
        "securitylake/*.*",
        "servicecatalog/*.*",
        "signer/signingProfilePermission.principal",
        "ssoadmin/a*Assignment.principalId",
    ),
    "Permissions inside a product, for its own users or for programs on one machine.": (
        "appstream/stack.*",
        "cloud9/*.permissions",
        "connect/securityProfile.permissions",
        "ecs/daemonTaskDefinition.*",
        "efs/accessPoint.*",
        "elastictranscoder/*.*",
        "glue/catalog*.*",
        "kendra/index.userContextPolicy",
        "ram/permission.policyTemplate",
        "ram/resourceShare.allowExternalPrincipals",
        "s3/filesAccessPoint.*",
        "s3control/directoryBucketAccessPointScope.*",
    ),
    "An access list for logs, results or files, which cannot include the public.": (
        "acmpca/certificateAuthority.*",
        "athena/*.*AclOption",
        "s3/bucketLogging*.*",
        "storagegateway/smbFileShare.smbAclEnabled",
    ),
    "A network address, not a permission: callers must still authenticate.": (
        "*.publiclyAccessible",
        "*.*etworkAcl*",
        "*.webAcl*",
        "ec2/networkInterfacePermission.permission",
    ),
    "Accounts that are inspected; nothing is shared with them.": (
        "accessanalyzer/analyzer.*",
        "cfg/configurationAggregator.*",
        "imagebuilder/lifecyclePolicy.*",
        "inspector2/enabler.accountIds",
    ),
    "Parts of an input that is checked.": (
        "iam/*.policy.*",
        "iam/role.assumeRolePolicy.*",
        "iam/role.inlinePolicies",
        "s3/*.accessControlPolicy",
        "s3/*.accessControlPolicy.grants.grantee",
        "s3/*.accessControlPolicy.grants.permission",
        "s3/*.accessControlPolicy.grants",
        "s3/*.grants",
        "s3/*.grants.permissions",
        "ssm/document.permissions",
    ),
    "bucket-blocks-public-access checks the settings of a bucket; those of a multi-Region access point are on, "
    "and cannot be changed (https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
    "multi-region-access-point-block-public-access.html).": ("s3*/*.*ublicAcls", "s3control/multiRegionAccessPoint.*"),
}
"""Inputs without a rule, by the reason: service and type as in a token, and path, with `*` as a wildcard; `*.` matches
any type."""
