def test_volume_without_a_number_tells_the_present_one(ctl, daemon):
    assert ctl("volume").out == "volume 80 %\n"
    assert ctl("volume", "--json").document == {"percent": 80}
    assert daemon.sent() == [("status.get", {})] * 2


def test_an_open_microphone_is_said_to_be_open(ctl, daemon):
    daemon.answers["audio.mute"] = {"muted": False}
    assert ctl("unmute").out == "the microphone is open\n"


def test_a_box_without_sound_devices_is_said_to_have_none(ctl, daemon):
    daemon.answers["audio.devices"] = {"devices": []}
    assert ctl("devices").out.startswith("there are no sound devices")


def test_a_device_that_is_not_in_use_has_no_star(ctl, daemon):
    daemon.answers["audio.devices"]["devices"][0]["selected"] = False
    assert ctl("devices").out.splitlines()[1].startswith("  0  ")


def test_only_the_device_that_was_named_is_selected(ctl, daemon):
    ctl("devices", "select", "--output", "USB speaker")
    assert daemon.sent() == [("audio.select", {"output": "USB speaker"})]


def test_a_device_that_is_not_there_is_the_daemons_error(ctl, daemon):
    hint = "`voicebotctl devices` lists them"
    daemon.answers["audio.select"] = daemon.Fault(1003, "audio.device_unavailable", "there is no device 9", hint)
    outcome = ctl("devices", "select", "--input", "9")
    assert (outcome.code, outcome.err) == (1, "voicebotctl: there is no device 9; `voicebotctl devices` lists them\n")
