"""AWS's errors of each operation that restarts or watches a dependent, by what they mean.

`final`: a retry does not help. `busy`: retry later, when another operation has ended. `passing`: retry at once. Taken
from AWS's documentation of each operation, and checked against the list of errors in botocore's API models.
"""

FINAL, BUSY, PASSING = "final", "busy", "passing"

COMMON = {
    "AccessDeniedException": FINAL,
    "ExpiredTokenException": PASSING,
    "IncompleteSignature": PASSING,
    "InternalFailure": PASSING,
    "MalformedHttpRequestException": FINAL,
    "NotAuthorized": FINAL,
    "OptInRequired": FINAL,
    "RequestAbortedException": PASSING,
    "RequestEntityTooLargeException": FINAL,
    "RequestExpired": PASSING,
    "RequestTimeoutException": PASSING,
    "ServiceUnavailable": PASSING,
    "ThrottlingException": PASSING,
    "UnrecognizedClientException": PASSING,
    "UnknownOperationException": FINAL,
    "ValidationError": FINAL,
}
"""https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html: of all operations of all services."""

OPERATIONS = {
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
    ("ecs", "DescribeServices"): {
        "AccessDeniedException": FINAL,
        "ClientException": FINAL,
        "ClusterNotFoundException": FINAL,
        "InvalidParameterException": FINAL,
        "ServerException": PASSING,
    },
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html: "You can't update a service
    # that's inactive"; a new deployment may begin while another is under way.
    ("ecs", "UpdateService"): {
        "AccessDeniedException": FINAL,
        "ClientException": FINAL,
        "ClusterNotFoundException": FINAL,
        "InvalidParameterException": FINAL,
        "NamespaceNotFoundException": FINAL,
        "PlatformTaskDefinitionIncompatibilityException": FINAL,
        "PlatformUnknownException": FINAL,
        "ServerException": PASSING,
        "ServiceNotActiveException": FINAL,
        "ServiceNotFoundException": FINAL,
        "UnsupportedFeatureException": FINAL,
    },
    # https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
    ("lambda", "GetFunctionConfiguration"): {
        "InvalidParameterValueException": FINAL,
        "ResourceNotFoundException": FINAL,
        "ServiceException": PASSING,
        "TooManyRequestsException": PASSING,
    },
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html: ResourceConflictException is
    # "another operation is in progress"; PreconditionFailedException: it was changed concurrently.
    ("lambda", "UpdateFunctionConfiguration"): {
        "CodeSigningConfigNotFoundException": FINAL,
        "CodeVerificationFailedException": FINAL,
        "InvalidCodeSignatureException": FINAL,
        "InvalidParameterValueException": FINAL,
        "PreconditionFailedException": PASSING,
        "ResourceConflictException": BUSY,
        "ResourceNotFoundException": FINAL,
        "ServiceException": PASSING,
        "TooManyRequestsException": PASSING,
    },
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
    ("ssm", "StartAutomationExecution"): {
        "AutomationDefinitionNotFoundException": FINAL,
        "AutomationDefinitionVersionNotFoundException": FINAL,
        "AutomationExecutionLimitExceededException": BUSY,
        "IdempotentParameterMismatch": FINAL,
        "InternalServerError": PASSING,
        "InvalidAutomationExecutionParametersException": FINAL,
        "InvalidTarget": FINAL,
    },
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetAutomationExecution.html
    ("ssm", "GetAutomationExecution"): {
        "AutomationExecutionNotFoundException": FINAL,
        "InternalServerError": PASSING,
    },
}
STARTING = [operation for operation in OPERATIONS if operation[1] != "GetAutomationExecution"]
WATCHING = [("ecs", "DescribeServices"), ("lambda", "GetFunctionConfiguration"), ("ssm", "GetAutomationExecution")]


def cases(operations, *kinds):
    """Service, operation and code of each error of these kinds; those of all operations for the last one."""
    return [
        (service, operation, code)
        for service, operation in operations
        for code, kind in {
            **(COMMON if (service, operation) == operations[-1] else {}),
            **OPERATIONS[service, operation],
        }.items()
        if kind in kinds
    ]
