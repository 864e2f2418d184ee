"""How records are added up, and when an aim counts as reached."""

from turns.aims import aims
from turns.plan import cells, jobs
from turns.report import TABLES, Results, alone, caught
from turns.scenarios import Job


def interruption(job: Job, silent_ms: float | None) -> dict:
    told = {"noticed_ms": 200.0, "ducked_ms": 240.0, "answered": silent_ms is not None, "lost": 0.1}
    told["confirm_after_ms"] = 600 if job.profile == "noisy" else 500
    return {"job": job, "interruption": "x", "flushed": silent_ms is not None, "silent_ms": silent_ms, **told}


def judged(results: Results) -> dict[str, str]:
    return {aim: verdict for aim, _, verdict in aims(results)}


def test_an_interruption_is_caught_late_or_missed_by_what_its_mode_allows():
    job = Job(scenario="interruptions", mode="immediate")
    found = caught([interruption(job, ms) for ms in (300.0, 700.0, 701.0, None)])
    assert (found.caught, found.late, found.missed) == (0.5, 0.25, 0.25)
    patient = Job(scenario="interruptions", mode="confirm")
    found = caught([interruption(patient, ms) for ms in (600.0, 610.0, 750.0)])
    assert (found.caught, found.after_notice) == (1 / 3, 1.0)
    noisy = Job(scenario="interruptions", mode="confirm", profile="noisy")
    assert caught([interruption(noisy, ms) for ms in (700.0, 701.0)]).caught == 0.5


def test_where_the_box_detects_turns_by_itself_no_service_tells_of_speech():
    job = Job(scenario="interruptions", mode="immediate", turns="local")
    assert caught([{**interruption(job, 300.0), "noticed_ms": None}]).after_notice is None


def test_self_interruptions_are_counted_by_the_hour_of_speech():
    job = Job(scenario="silence")
    found = alone([{"job": job, "spoken_s": 900.0, "stopped": 1, "ducked": 3}] * 2)
    assert (found.hours, found.stopped_per_hour, found.ducked_per_hour) == (0.5, 4.0, 12.0)


def test_an_aim_is_reached_missed_or_was_not_run():
    quiet = {
        "spoken_s": 3600.0,
        "ducked": 0,
        "false_turns": 0,
        "corrections": 0,
        "seconds": 3700.0,
        "engine_cpu_s": 1.0,
    }
    records = [
        {"job": Job(scenario="silence", seed=3), "stopped": 0, **quiet},
        {"job": Job(scenario="silence", rung="gate"), "stopped": 2, **quiet},
    ]
    verdicts = judged(Results(records))
    assert verdicts["aec: at most 0 self-interruptions per hour"] == "reached"
    assert verdicts["gate: at most 1 self-interruptions per hour"] == "missed"
    assert verdicts["half_duplex: at most 0 self-interruptions per hour"] == "not run"


def test_the_pause_is_judged_from_the_first_sound_and_from_the_service_s_word():
    confirm = Job(scenario="interruptions", mode="confirm")
    verdicts = judged(Results([interruption(confirm, 700.0)]))
    aim = "aec, confirm: 95 % of interruptions silent within confirm_after_ms + 100 ms"
    assert verdicts[aim] == "missed"
    assert verdicts[f"{aim} of speech_started"] == "reached"


def test_the_tables_can_be_made_of_nothing():
    assert all(rows == [] for _, _, rows in (table(Results([])) for table in TABLES))
    assert set(judged(Results([])).values()) == {"not run"}


def test_a_run_is_as_long_as_asked_and_every_room_is_another():
    planned = jobs(hours=5.0, seed=1, quick=False)
    assert 4.9 < sum(job.seconds for job in planned) / 3600 < 5.6
    assert len({(job.scenario, job.seed) for job in planned}) == len(planned)
    assert sum(cell.share for cell in cells()) > 0.95


def test_a_quick_run_has_the_essential_cells_and_a_rung_or_a_profile_can_be_chosen():
    quick = jobs(hours=0.3, seed=1, quick=True)
    assert {job.scenario for job in quick} == {"silence", "interruptions", "blurts", "noise", "sentences"}
    assert {job.rung for job in jobs(hours=1, seed=1, quick=False, rung="gate")} == {"gate"}
    assert {job.profile for job in jobs(hours=1, seed=1, quick=False, profile="noisy")} == {"noisy"}
