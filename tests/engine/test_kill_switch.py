"""Whoever stops remediation is overruled by no deployment."""


def test_no_deployment_sets_the_kill_switch_back(new_stack, aws):
    stack = new_stack("prod", tags={"team": "platform"})
    name = stack.up().outputs["kill_switch_parameter_name"]
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=name, Value="stop", Overwrite=True)

    stack.configure({"tags": {"team": "security", "cost-center": "1"}})
    changed = stack.up()
    refreshed = stack.refresh()
    stack.configure({"tags": None})
    again = stack.up()

    assert (changed.failed, refreshed.failed, again.failed) == (False, False, False)
    assert [call for call in stack.calls() if call["type"] == "aws:ssm/parameter:Parameter"][1:] == []
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "stop"
    assert not stack.destroy().failed
