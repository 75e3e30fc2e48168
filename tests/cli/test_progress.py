"""The progress line: rewritten on a terminal, a line now and then elsewhere."""

import io
import re

from repstream_cli.progress import Meter, ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_line_is_rewritten_and_ended():
    stream = Terminal()
    line = ProgressLine(lambda: "half done", stream=stream)
    line.finish(show=True)
    assert "half done" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is back


def test_on_a_terminal_the_line_is_cut_to_its_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    ProgressLine(lambda: "x" * 100, stream=stream).finish(show=True)
    assert max(len(run) for run in re.findall("x+…?", stream.getvalue())) == 20


def test_in_a_log_nothing_is_rewritten():
    stream = io.StringIO()
    ProgressLine(lambda: "done", stream=stream).finish(show=True)
    assert stream.getvalue() == "done\n"


def test_a_quiet_line_says_nothing():
    stream = Terminal()
    line = ProgressLine(lambda: "half done", quiet=True, stream=stream)
    line.tick()
    line.finish(show=True)
    assert stream.getvalue() == ""


def test_the_text_is_not_made_before_it_is_due():
    made = []
    ProgressLine(lambda: made.append(1) or "", stream=Terminal()).tick()
    assert not made


def test_a_meter_tells_rates_since_the_last_look():
    meter = Meter()
    assert meter.rates(frames=10)["frames"] > 0
    assert meter.rates(frames=10)["frames"] == 0
