def test_start_without_wishes_sends_none(ctl, daemon):
    ctl("start")
    assert daemon.sent() == [("conversation.start", {})]


def test_respond_waits_and_prints_the_text_by_default(ctl, daemon):
    assert ctl("respond").out == "Good morning!\n"
    assert ctl("respond", "--wait").out == "Good morning!\n"
    assert daemon.sent() == [("response.request", {"wait": True})] * 2


def test_respond_without_waiting_prints_what_was_requested(ctl, daemon):
    daemon.answers["response.request"]["text"] = None
    assert ctl("respond", "--no-wait").out == "requested as r1\n"
    assert daemon.sent() == [("response.request", {"wait": False})]


def test_a_response_without_words_prints_nothing(ctl, daemon):
    daemon.answers["response.request"]["text"] = None
    assert ctl("respond").out == ""


def test_a_response_that_was_not_completed_says_so(ctl, daemon):
    daemon.answers["response.request"]["status"] = "cancelled"
    assert ctl("respond").out == "Good morning!\n[cancelled]\n"
    daemon.answers["response.request"] |= {"status": "failed", "text": None}
    assert ctl("respond").out == "[failed]\n"


def test_interrupting_silence_says_so(ctl, daemon):
    daemon.answers["response.interrupt"] = {"heard_ms": 0, "item_id": None}
    assert ctl("interrupt").out == "nothing was being said\n"


def test_a_text_that_begins_with_a_dash_goes_after_two(ctl, daemon):
    ctl("send", "--", "-5 degrees")
    assert daemon.sent() == [("message.send", {"text": "-5 degrees"})]


def test_a_response_that_does_not_come_in_time_is_exit_75(ctl, daemon):
    daemon.answers["response.request"] = None
    outcome = ctl("respond", "--timeout", "0.05")
    assert outcome.code == 75
    assert outcome.err == "voicebotctl: the daemon did not answer in time; --timeout SECONDS waits longer\n"
