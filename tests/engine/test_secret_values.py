"""Secret settings are never in plain text: neither in the state nor in the output of the engine."""

import json

ENDPOINT = "https://hooks.example.com/T0K3N-f6d1"
ADDRESS = "whistleblower-91c2@example.com"


def test_secret_settings_are_never_in_plain_text(new_stack):
    stack = new_stack("prod")
    stack.save_every_step()
    stack.set_path("subscriptions[0].topic", "critical")
    stack.set_path("subscriptions[0].protocol", "https")
    stack.set_path("subscriptions[0].endpoint", ENDPOINT, secret=True)
    stack.set_path("subscriptions[1].topic", "remediation")
    stack.set_path("subscriptions[1].protocol", "email")
    stack.set_path("subscriptions[1].endpoint", ADDRESS, secret=True)

    preview, up = stack.preview(), stack.up()

    assert (preview.failed, up.failed) == (False, False)
    output = json.dumps([preview.messages, up.messages])
    files = [path.read_bytes() for path in stack.folder.rglob("*") if path.is_file() and path != stack.log]
    assert files
    for value in (ENDPOINT, ADDRESS):
        assert value not in output
        assert [True for content in files if value.encode() in content] == []
    assert not stack.destroy().failed
