"""Lambda and the logs it writes."""

from collections.abc import Iterable

from ...aws import Aws
from .archive import zipped
from .entry import Created, Entry, Inputs, capitalised, given, understands


def _create_log_group(aws: Aws, inputs: Inputs) -> Created:
    name, logs = inputs["name"], aws.client("logs")
    logs.create_log_group(logGroupName=name, tags=inputs.get("tags") or {}, **given(inputs, kmsKeyId="kmsKeyId"))
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=inputs["retentionInDays"])
    return Created(name, {"arn": f"arn:aws:logs:{aws.region}:{aws.account_id}:log-group:{name}"})


def _delete_log_group(aws: Aws, group: Created) -> None:
    aws.client("logs").delete_log_group(logGroupName=group.id)


def _list_log_groups(aws: Aws) -> Iterable[str]:
    pages = aws.client("logs").get_paginator("describe_log_groups").paginate()
    return (group["logGroupName"] for page in pages for group in page["logGroups"])


def _create_function(aws: Aws, inputs: Inputs) -> Created:
    """The real provider waits until the function is active; MiniStack runs it at once, so nothing is waited for.

    A layer of another account cannot be had offline: MiniStack takes its ARN and brings nothing. Functions find
    Powertools all the same, since they run with the Python of this environment, whatever `runtime` says.
    """
    name, code, client = inputs["name"], zipped(inputs["code"]), aws.client("lambda")
    function = client.create_function(
        FunctionName=name,
        Code={"ZipFile": code},
        Role=inputs["role"],
        **given(
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
            key: capitalised(inputs[name])
            for key, name in (("LoggingConfig", "loggingConfig"), ("TracingConfig", "tracingConfig"))
            if inputs.get(name)
        },
        Environment={"Variables": (inputs.get("environment") or {}).get("variables") or {}},
    )
    if (reserved := inputs.get("reservedConcurrentExecutions", -1)) >= 0:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    arn = function["FunctionArn"]
    apigateway = f"arn:aws:apigateway:{aws.region}:lambda:path/2015-03-31/functions"
    return Created(
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


def _delete_function(aws: Aws, function: Created) -> None:
    aws.client("lambda").delete_function(FunctionName=function.id)


def _list_functions(aws: Aws) -> Iterable[str]:
    pages = aws.client("lambda").get_paginator("list_functions").paginate()
    return (function["FunctionArn"] for page in pages for function in page["Functions"])


def _create_permission(aws: Aws, inputs: Inputs) -> Created:
    """MiniStack keeps the permission and asks for none; `rotation.py` asks for the one that Secrets Manager needs."""
    statement = inputs["statementId"]
    aws.client("lambda").add_permission(
        FunctionName=inputs["function"],
        StatementId=statement,
        Action=inputs["action"],
        Principal=inputs["principal"],
        **given(inputs, Qualifier="qualifier", SourceArn="sourceArn", SourceAccount="sourceAccount"),
    )
    return Created(statement, {"function": inputs["function"], "qualifier": inputs.get("qualifier")})


def _delete_permission(aws: Aws, permission: Created) -> None:
    aws.client("lambda").remove_permission(
        FunctionName=permission.outputs["function"],
        StatementId=permission.id,
        **given(permission.outputs, Qualifier="qualifier"),
    )


def _create_event_invoke_config(aws: Aws, inputs: Inputs) -> Created:
    name, wanted = inputs["functionName"], inputs.get("destinationConfig") or {}
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name,
        **given(
            inputs,
            MaximumRetryAttempts="maximumRetryAttempts",
            MaximumEventAgeInSeconds="maximumEventAgeInSeconds",
        ),
        DestinationConfig=capitalised({key: value for key, value in wanted.items() if value}),
    )
    return Created(name, {})


def _delete_event_invoke_config(aws: Aws, config: Created) -> None:
    aws.client("lambda").delete_function_event_invoke_config(FunctionName=config.id)


def _create_recursion_config(aws: Aws, inputs: Inputs) -> Created:
    name = inputs["functionName"]
    aws.client("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop=inputs["recursiveLoop"])
    return Created(name, {})


def _create_event_source_mapping(aws: Aws, inputs: Inputs) -> Created:
    scaling = inputs.get("scalingConfig")
    mapping = aws.client("lambda").create_event_source_mapping(
        **given(
            inputs,
            EventSourceArn="eventSourceArn",
            FunctionName="functionName",
            BatchSize="batchSize",
            MaximumBatchingWindowInSeconds="maximumBatchingWindowInSeconds",
            FunctionResponseTypes="functionResponseTypes",
            Enabled="enabled",
            Tags="tags",
        ),
        **({"ScalingConfig": capitalised(scaling)} if scaling else {}),
    )
    uuid = mapping["UUID"]
    arn = f"arn:aws:lambda:{aws.region}:{aws.account_id}:event-source-mapping:{uuid}"
    return Created(uuid, {"arn": arn, "uuid": uuid, "functionArn": mapping["FunctionArn"], "state": mapping["State"]})


def _delete_event_source_mapping(aws: Aws, mapping: Created) -> None:
    aws.client("lambda").delete_event_source_mapping(UUID=mapping.id)


def _list_event_source_mappings(aws: Aws) -> Iterable[str]:
    pages = aws.client("lambda").get_paginator("list_event_source_mappings").paginate()
    return (mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"])


ENTRIES = (
    Entry(
        "aws:cloudwatch/logGroup:LogGroup",
        understands("name", "namePrefix", "retentionInDays", "kmsKeyId", "tags"),
        _create_log_group,
        _delete_log_group,
        autonamed="name",
        prefix="namePrefix",
        lists=_list_log_groups,
    ),
    Entry(
        "aws:lambda/function:Function",
        understands(
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
        autonamed="name",
        lists=_list_functions,
    ),
    Entry(
        "aws:lambda/permission:Permission",
        understands("statementId", "action", "function", "qualifier", "principal", "sourceArn", "sourceAccount"),
        _create_permission,
        _delete_permission,
        autonamed="statementId",
    ),
    Entry(
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        understands(
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
        understands("functionName", "recursiveLoop"),
        _create_recursion_config,
    ),
    Entry(
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        understands(
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
        lists=_list_event_source_mappings,
    ),
)
