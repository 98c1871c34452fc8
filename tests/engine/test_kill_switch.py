"""No deployment overrides the kill switch."""


def test_no_deployment_resets_the_kill_switch(new_stack, aws):
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
