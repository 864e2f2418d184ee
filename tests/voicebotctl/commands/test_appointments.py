def test_a_list_has_one_line_per_appointment(ctl, daemon):
    header, line = ctl("appointments", "list").out.splitlines()
    assert header.split() == ["day", "time", "(Europe/Berlin)", "service", "name", "code", "status", "id"]
    assert line.split() == ["2026-03-04", "10:00-10:30", "consultation", "Anna", "Meyer", "417209", "booked", "a1"]
    assert daemon.sent() == [("appointments.list", {})]


def test_a_list_can_be_narrowed(ctl, daemon):
    ctl("appointments", "list", "--from-date", "2026-03-01", "--to-date", "2026-03-31", "--name", "meyer")
    ctl("appointments", "list", "--status", "cancelled", "--limit", "5")
    assert daemon.sent() == [
        ("appointments.list", {"from_date": "2026-03-01", "to_date": "2026-03-31", "name": "meyer"}),
        ("appointments.list", {"status": "cancelled", "limit": 5}),
    ]


def test_an_empty_book_says_so_and_a_long_one_that_there_is_more(ctl, daemon):
    daemon.answers["appointments.list"]["more"] = True
    assert ctl("appointments", "list").out.endswith("there are more: --limit\n")
    daemon.answers["appointments.list"]["appointments"] = []
    assert ctl("appointments", "list").out == "there is no appointment\n"


def test_an_export_goes_to_stdout_or_into_a_file_as_it_is(ctl, daemon, tmp_path):
    assert ctl("appointments", "export").out == "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    file = tmp_path / "book.ics"
    told = ctl("appointments", "export", "--from-date", "2026-03-01", "--output", str(file))
    assert told.out == f"1 appointments written to {file}\n"
    assert file.read_bytes() == b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    assert daemon.sent()[1] == ("appointments.export", {"from_date": "2026-03-01"})


def test_a_file_that_cannot_be_written_is_named(ctl, daemon, tmp_path):
    told = ctl("appointments", "export", "--output", str(tmp_path / "no" / "book.ics"))
    assert (told.code, "cannot be written: No such file or directory" in told.err) == (2, True)


def test_a_cancellation_is_confirmed_with_whose_it_was(ctl, daemon):
    assert ctl("appointments", "cancel", "a1").out == "cancelled: 2026-03-04 10:00-10:30 consultation Anna Meyer\n"
    assert daemon.sent() == [("appointments.cancel", {"appointment_id": "a1"})]


def test_an_appointment_that_is_not_there_is_the_daemons_error(ctl, daemon):
    daemon.answers["appointments.cancel"] = daemon.Fault(1018, "appointments.not_found", "no appointment x")
    assert (ctl("appointments", "cancel", "x").code, ctl("appointments", "cancel", "x").err) == (
        1,
        "voicebotctl: no appointment x\n",
    )
