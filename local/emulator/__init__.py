"""The embedded AWS: MiniStack in a process of its own, patched where it differs from AWS.

Outside of that process, in the local deployment and in tests:
    process             starts and stops the embedded AWS
    api                 calls the actions that only the embedded AWS has
    aws_retries         triggers AWS's own retry of a failed rotation

Inside of it, over MiniStack:
    main                the entry point
    patches             the list of all patches, in order
    alarms              alarms and their actions
    api_destinations    calls of API destinations
    automations         automations of Systems Manager
    cloudtrail          events that AWS sends through CloudTrail
    dead_letters        messages to dead-letter queues
    deliveries          deliveries of EventBridge, Scheduler and SNS
    lambda_service      concurrency, throttles and metrics of Lambda
    log_output          control characters in the log
    metrics             metrics that AWS's services publish
    named_resources     the resource that IAM checks for a call
    other_accounts      event buses of other accounts
    queue_lock          concurrent changes of a queue
    queue_metrics       metrics of SQS
    request_signatures  keys and signatures of requests
    rotation            rotations of Secrets Manager
    secrets_manager     calls of Secrets Manager
    security_hub        findings of Security Hub
    secure_transport    the condition that a request came over TLS
    unpacked_code       shared folders of functions' code
    workflow_tasks      Lambda tasks of Step Functions

Inside of it, without MiniStack:
    alarm_states        decides the state of an alarm
    async_queue         queues asynchronous invocations
    embedded_metrics    parses the embedded metric format
    finding_format      what Security Hub demands of a finding
    forks               starts functions as forks of one process
    metric_math         evaluates metric math
    rotation_model      models rotations; shared with the tests of remediation
    worker_limit        limits the processes of a function
"""
