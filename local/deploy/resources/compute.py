"""Lambda and the logs it writes."""

from collections.abc import Iterable

from ...aws import Aws
from .archive import build_zip
from .entry import CreatedResource, Entry, Inputs, select_inputs, supported_inputs, to_api_case


def _create_log_group(aws: Aws, inputs: Inputs) -> CreatedResource:
    name, logs = inputs["name"], aws.client("logs")
    logs.create_log_group(
        logGroupName=name, tags=inputs.get("tags") or {}, **select_inputs(inputs, kmsKeyId="kmsKeyId")
    )
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=inputs["retentionInDays"])
    return CreatedResource(name, {"arn": f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{name}"})


def _delete_log_group(aws: Aws, group: CreatedResource) -> None:
    aws.client("logs").delete_log_group(logGroupName=group.id)


def _list_log_groups(aws: Aws) -> Iterable[str]:
    pages = aws.client("logs").get_paginator("describe_log_groups").paginate()
    return (group["logGroupName"] for page in pages for group in page["logGroups"])


def _create_function(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Create a function. Unlike the provider, do not wait until it is active: in MiniStack it is active at once.

    Layers of other accounts are not available offline: MiniStack accepts their ARNs and adds nothing. Functions run
    with this environment's Python, whatever `runtime` says, and so find Powertools.
    """
    name, code, client = inputs["name"], build_zip(inputs["code"]), aws.client("lambda")
    function = client.create_function(
        FunctionName=name,
        Code={"ZipFile": code},
        Role=inputs["role"],
        **select_inputs(
            inputs,
            Handler="handler",
            Runtime="runtime",
            Description="description",
            Timeout="timeout",
            MemorySize="memorySize",
            Architectures="architectures",
            Layers="layers",
            Publish="publish",
            Tags="tags",
        ),
        **{
            key: to_api_case(inputs[name])
            for key, name in (("LoggingConfig", "loggingConfig"), ("TracingConfig", "tracingConfig"))
            if inputs.get(name)
        },
        Environment={"Variables": (inputs.get("environment") or {}).get("variables") or {}},
    )
    if (reserved := inputs.get("reservedConcurrentExecutions", -1)) >= 0:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    arn = function["FunctionArn"]
    apigateway = f"arn:aws:apigateway:{aws.region}:lambda:path/2015-03-31/functions"
    return CreatedResource(
        name,
        {
            "arn": arn,
            "invokeArn": f"{apigateway}/{arn}/invocations",
            "qualifiedArn": f"{arn}:{function['Version']}",
            "version": function["Version"],
            "lastModified": function["LastModified"],
            "codeSha256": function["CodeSha256"],
            "sourceCodeSize": len(code),
        },
    )


def _delete_function(aws: Aws, function: CreatedResource) -> None:
    aws.client("lambda").delete_function(FunctionName=function.id)


def _list_functions(aws: Aws) -> Iterable[str]:
    pages = aws.client("lambda").get_paginator("list_functions").paginate()
    return (function["FunctionArn"] for page in pages for function in page["Functions"])


def _create_permission(aws: Aws, inputs: Inputs) -> CreatedResource:
    """Add a permission. MiniStack checks none; `rotation.py` checks the one that Secrets Manager needs."""
    statement = inputs["statementId"]
    aws.client("lambda").add_permission(
        FunctionName=inputs["function"],
        StatementId=statement,
        Action=inputs["action"],
        Principal=inputs["principal"],
        **select_inputs(inputs, Qualifier="qualifier", SourceArn="sourceArn", SourceAccount="sourceAccount"),
    )
    return CreatedResource(statement, {"function": inputs["function"], "qualifier": inputs.get("qualifier")})


def _delete_permission(aws: Aws, permission: CreatedResource) -> None:
    aws.client("lambda").remove_permission(
        FunctionName=permission.outputs["function"],
        StatementId=permission.id,
        **select_inputs(permission.outputs, Qualifier="qualifier"),
    )


def _create_event_invoke_config(aws: Aws, inputs: Inputs) -> CreatedResource:
    name, wanted = inputs["functionName"], inputs.get("destinationConfig") or {}
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name,
        **select_inputs(
            inputs,
            MaximumRetryAttempts="maximumRetryAttempts",
            MaximumEventAgeInSeconds="maximumEventAgeInSeconds",
        ),
        DestinationConfig=to_api_case({key: value for key, value in wanted.items() if value}),
    )
    return CreatedResource(name, {})


def _delete_event_invoke_config(aws: Aws, config: CreatedResource) -> None:
    aws.client("lambda").delete_function_event_invoke_config(FunctionName=config.id)


def _create_recursion_config(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["functionName"]
    aws.client("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop=inputs["recursiveLoop"])
    return CreatedResource(name, {})


def _create_event_source_mapping(aws: Aws, inputs: Inputs) -> CreatedResource:
    scaling = inputs.get("scalingConfig")
    mapping = aws.client("lambda").create_event_source_mapping(
        **select_inputs(
            inputs,
            EventSourceArn="eventSourceArn",
            FunctionName="functionName",
            BatchSize="batchSize",
            MaximumBatchingWindowInSeconds="maximumBatchingWindowInSeconds",
            FunctionResponseTypes="functionResponseTypes",
            Enabled="enabled",
            Tags="tags",
        ),
        **({"ScalingConfig": to_api_case(scaling)} if scaling else {}),
    )
    uuid = mapping["UUID"]
    arn = f"arn:aws:lambda:{aws.region}:{aws.account_id}:event-source-mapping:{uuid}"
    return CreatedResource(
        uuid, {"arn": arn, "uuid": uuid, "functionArn": mapping["FunctionArn"], "state": mapping["State"]}
    )


def _delete_event_source_mapping(aws: Aws, mapping: CreatedResource) -> None:
    aws.client("lambda").delete_event_source_mapping(UUID=mapping.id)


def _list_event_source_mappings(aws: Aws) -> Iterable[str]:
    pages = aws.client("lambda").get_paginator("list_event_source_mappings").paginate()
    return (mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"])


ENTRIES = (
    Entry(
        "aws:cloudwatch/logGroup:LogGroup",
        supported_inputs("name", "namePrefix", "retentionInDays", "kmsKeyId", "tags"),
        _create_log_group,
        _delete_log_group,
        name_input="name",
        prefix_input="namePrefix",
        list_names=_list_log_groups,
    ),
    Entry(
        "aws:lambda/function:Function",
        supported_inputs(
            "name",
            "code",
            "handler",
            "runtime",
            "role",
            "description",
            "timeout",
            "memorySize",
            "architectures",
            "layers",
            "environment.variables",
            "loggingConfig.logFormat",
            "loggingConfig.logGroup",
            "loggingConfig.applicationLogLevel",
            "loggingConfig.systemLogLevel",
            "tracingConfig.mode",
            "publish",
            "reservedConcurrentExecutions",
            "tags",
        ),
        _create_function,
        _delete_function,
        name_input="name",
        list_names=_list_functions,
    ),
    Entry(
        "aws:lambda/permission:Permission",
        supported_inputs("statementId", "action", "function", "qualifier", "principal", "sourceArn", "sourceAccount"),
        _create_permission,
        _delete_permission,
        name_input="statementId",
    ),
    Entry(
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        supported_inputs(
            "functionName",
            "maximumRetryAttempts",
            "maximumEventAgeInSeconds",
            "destinationConfig.onFailure.destination",
            "destinationConfig.onSuccess.destination",
        ),
        _create_event_invoke_config,
        _delete_event_invoke_config,
    ),
    Entry(
        "aws:lambda/functionRecursionConfig:FunctionRecursionConfig",
        supported_inputs("functionName", "recursiveLoop"),
        _create_recursion_config,
    ),
    Entry(
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        supported_inputs(
            "eventSourceArn",
            "functionName",
            "batchSize",
            "maximumBatchingWindowInSeconds",
            "functionResponseTypes",
            "scalingConfig.maximumConcurrency",
            "enabled",
            "tags",
        ),
        _create_event_source_mapping,
        _delete_event_source_mapping,
        list_names=_list_event_source_mappings,
    ),
)
