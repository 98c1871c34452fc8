"""Cases of the rule about resources of other providers."""

from tests.policies.programs import UNKNOWN, Case, component, make, program, queue

RULE = "resources-are-judged"
native_queue = make("aws-native:sqs:Queue")
bucket = make("gcp:storage/bucket:Bucket")
letters = queue("letters", messageRetentionSeconds=1_209_600)

CASES = [
    Case(
        RULE,
        "typical",
        "a queue of aws-native",
        program(letters, native_queue("theirs")),
        {"": "1 resource of aws-native was not judged"},
    ),
    Case(
        RULE,
        "variant",
        "resources of several other providers",
        program(
            native_queue("a", messageRetentionPeriod=60),
            make("aws-native:sqs:QueuePolicy")("b", policyDocument={"Statement": []}),
            bucket("c", location="EU"),
            make("kubernetes:core/v1:Service")("d"),
            make("pulumi-python:dynamic/resource:Resource")("e"),
        ),
        {
            "": (
                "2 resources of aws-native were not judged",
                "1 resource of gcp was not judged",
                "1 resource of kubernetes was not judged",
                "1 resource of pulumi-python was not judged",
            )
        },
    ),
    Case(RULE, "compliant", "only resources of the provider aws", program(letters)),
    Case(RULE, "unknown", "what is not known of a resource of aws", program(queue("q", policy=UNKNOWN))),
    Case(
        RULE,
        "near miss",
        "components, providers, values of the program, and what is only looked up",
        program(
            component("shop"),
            make("pulumi:providers:aws-native")("theirs"),
            make("random:index/randomPassword:RandomPassword")("password", length=20),
            make("tls:index/privateKey:PrivateKey")("key"),
            external=[bucket("found")],
        ),
    ),
]
