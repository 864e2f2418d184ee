import os

import pytest


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(b"RIFF")
    return path


def test_the_daemon_gets_the_open_file_and_never_its_path(ctl, daemon, speech):
    read = []
    daemon.hear = lambda request, fds: read.extend(os.read(fd, 100) for fd in fds)
    outcome = ctl("process", str(speech))
    assert read == [b"RIFF"]
    assert b"speech.wav" not in b"".join(daemon.lines)
    assert outcome.out.splitlines() == [
        "  visitor: Have you a free hour?",
        "assistant: Yes, at ten.  [interrupted; heard: Yes,]",
    ]


def test_what_the_daemon_writes_into_the_second_file_is_the_output(ctl, daemon, speech, tmp_path):
    output = tmp_path / "out.wav"
    output.write_bytes(b"a longer recording of yesterday")

    def play(request, fds):
        os.write(fds[1], b"new")

    daemon.hear = play
    outcome = ctl("process", str(speech), "--output", str(output))
    assert output.read_bytes() == b"new"
    assert outcome.out.endswith(f"written: {output}\n")


def test_the_output_can_be_read_back_by_the_daemon(ctl, daemon, speech, tmp_path):
    seen = []

    def play(request, fds):
        os.write(fds[1], b"header")
        seen.append(os.pread(fds[1], 6, 0))

    daemon.hear = play
    ctl("process", str(speech), "--output", str(tmp_path / "out.wav"))
    assert seen == [b"header"]


@pytest.mark.parametrize("name", ["missing.wav", ".", "pipe"])
def test_a_file_that_cannot_be_read_is_one_line_and_exit_2(name, ctl, daemon, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = ctl("process", str(tmp_path / name))
    assert (outcome.code, outcome.out, daemon.requests) == (2, "", [])
    assert outcome.err.startswith(f"voicebotctl: cannot read {tmp_path}")
    assert outcome.err.count("\n") == 1


def test_a_path_that_no_system_has_is_a_mistake_too(ctl, speech):
    assert ctl("process", "nul\0byte").code == 2
    assert ctl("process", str(speech), "--output", "nul\0byte").code == 2


def test_an_output_that_cannot_be_written_is_one_line_and_exit_2(ctl, daemon, speech, tmp_path):
    outcome = ctl("process", str(speech), "--output", str(tmp_path / "no" / "such" / "out.wav"))
    assert (outcome.code, daemon.requests) == (2, [])
    assert outcome.err.endswith("out.wav: No such file or directory\n")


def test_the_input_is_not_overwritten_by_the_output(ctl, daemon, speech):
    outcome = ctl("process", str(speech), "--output", str(speech))
    assert (outcome.code, daemon.requests) == (2, [])
    assert speech.read_bytes() == b"RIFF"


def test_without_a_daemon_an_existing_output_is_left_alone(away, speech, tmp_path):
    output = tmp_path / "out.wav"
    output.write_bytes(b"yesterday")
    assert away("process", str(speech), "--output", str(output)).code == 69
    assert output.read_bytes() == b"yesterday"


def test_a_file_without_audio_is_the_daemons_error(ctl, daemon, speech):
    daemon.answers["file.process"] = daemon.Fault(1009, "file.unreadable", "there is no audio in it")
    assert ctl("process", str(speech), "--json").error["kind"] == "file.unreadable"


def test_no_descriptor_is_left_open(ctl, speech, tmp_path):
    ctl("process", str(speech), "--output", str(tmp_path / "out.wav"))
    opened = {os.path.realpath(f"/proc/self/fd/{descriptor}") for descriptor in os.listdir("/proc/self/fd")}
    assert not opened & {str(speech), str(tmp_path / "out.wav")}
