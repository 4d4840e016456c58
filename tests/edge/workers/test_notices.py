"""What systemd is notified of, of several workers, by a clock of the test's own."""

from __future__ import annotations

from onnxlet.edge.service.systemd import WELL
from onnxlet.edge.workers.notices import RESTART_SECONDS, Notices

READY = f"READY=1\n{WELL}"
BAD = "STATUS=golden rows are not answered: iris/1: no"


class Told:
    """Notices of two workers, with a timeout of 8 seconds, and what they have sent."""

    def __init__(self, seconds: float | None = 8.0) -> None:
        self.lines: list[str] = []
        self.notices = Notices(self.lines.append, seconds, 2, 0.0)

    def ready(self, now: float = 1.0) -> Told:
        for number in (0, 1):
            self.notices.hear(number, READY, now)
        self.lines.clear()
        return self

    def fed(self, now: float) -> bool:
        self.lines.clear()
        self.notices.tick(now)
        return self.lines == ["WATCHDOG=1"]


def test_the_service_is_ready_once_all_are() -> None:
    told = Told()
    told.notices.hear(0, READY, 1.0)
    assert not told.fed(1.0)
    assert told.lines == []
    told.notices.hear(1, READY, 2.0)
    assert told.lines == [READY]
    assert told.fed(2.1)
    assert not told.fed(3.0)
    assert told.fed(3.2)


def test_a_fault_before_the_start_is_shown() -> None:
    told = Told()
    told.notices.hear(1, BAD, 1.0)
    told.notices.hear(1, BAD, 1.1)
    assert told.lines == ["STATUS=worker 1: golden rows are not answered: iris/1: no"]


def test_one_that_is_restarted_is_waited_for_and_then_systemd_restarts_all() -> None:
    told = Told().ready()
    told.notices.leave(1, 10.0)
    assert told.lines == ["STATUS=restarting worker 1 of 2"]
    told.notices.leave(1, 60.0)  # its successor died, too: the time counts from the first
    assert told.fed(10.0 + RESTART_SECONDS - 1)
    assert not told.fed(10.0 + RESTART_SECONDS + 1)
    told.notices.hear(1, READY, 140.0)
    assert told.lines == [WELL]
    assert told.fed(141.0)


def test_one_that_does_not_report_in_time_is_named() -> None:
    told = Told().ready()
    told.notices.hear(0, "WATCHDOG=1", 9.0)
    assert told.notices.unproven(9.0) == {}
    assert told.notices.unproven(9.1) == {1: 8.0}
    told.notices.forgive(10.0)
    assert told.notices.unproven(17.0) == {}


def test_one_that_ends_by_itself_is_not_expected_to_report() -> None:
    told = Told().ready()
    told.notices.hear(1, "STOPPING=1", 2.0)
    told.notices.hear(0, "WATCHDOG=1", 20.0)
    assert told.notices.unproven(20.0) == {}
    assert told.lines == ["STATUS=restarting worker 1 of 2"]


def test_a_systemd_without_a_timeout_is_notified_of_no_life() -> None:
    told = Told(None).ready()
    assert not told.fed(5.0)
    assert told.notices.unproven(1000.0) == {}


def test_while_it_stops_it_lives() -> None:
    told = Told().ready()
    told.notices.stop()
    assert told.lines == ["STOPPING=1"]
    told.notices.leave(0, 5.0)
    assert told.fed(1000.0)
