def test_a_text_is_added_unless_it_is_to_replace(ctl, daemon):
    assert "they are added to the configured ones, forgotten at a restart" in ctl("instruct", "Answer in French").out
    assert daemon.sent() == [("instructions.set", {"text": "Answer in French"})]


def test_what_the_daemon_made_of_it_is_what_is_said(ctl, daemon):
    daemon.answers["instructions.set"] |= {"mode": "replace", "persisted": True}
    text = "the instructions are in force: they take the place of the configured ones, kept over a restart\n"
    assert ctl("instruct", "Be brief", "--replace", "--persist").out == text


def test_without_a_text_the_instructions_in_force_are_shown(ctl, daemon):
    assert ctl("instruct").out == ctl("instruct", "--show").out == "Be kind.\n"
    assert daemon.sent() == [("instructions.get", {})] * 2


def test_clear_goes_back_to_the_configured_ones(ctl, daemon):
    assert ctl("instruct", "--clear", "--persist").out == "the configured instructions are in force again\n"
    assert daemon.sent() == [("instructions.clear", {"persist": True})]
