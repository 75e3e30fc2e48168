"""A launcher without processes."""

import time

from repstream.errors import ChildError
from repstream.pipelines.control import PORT, Answer, Ending, Input, Ready, Reconfigure, Stop


class FakeRunning:
    """What a process would do, done at once; tests speak for it by `say` and `end`."""

    def __init__(self, specification, on_notice, on_end):
        self.specification, self.say, self._on_end = specification, on_notice, on_end
        self.configuration = specification.configuration
        self.inputs, self.refusal, self.process_id, self.over = [], "", 4711, False

    def send(self, request):
        match request:
            case Reconfigure():
                if not self.refusal:
                    self.configuration = request.configuration
                self.say(Answer(request.request, self.refusal))
            case Input():
                self.inputs.append(request)
            case Stop():
                self.end(0)

    def stop(self, patience):
        self.end(-9)

    def end(self, exit_code, reason="", subject=""):
        if not self.over:
            self.over = True
            if reason:
                self.say(Ending(reason, subject))
            self._on_end(exit_code)


class FakeLauncher:
    host = "127.0.0.1"

    def __init__(self):
        self.processes, self.dying, self.mute, self.taken = {}, {}, set(), set()
        self.first_words = []  # what each says before who starts it knows of it

    def launch(self, specification, on_notice, on_end):
        name = specification.name
        if name == "unstartable":
            raise ChildError("no process can be started")
        process = self.processes[name] = FakeRunning(specification, on_notice, on_end)
        for notice in self.first_words:
            on_notice(notice)
            time.sleep(0.05)
        if specification.port in self.taken:
            process.end(1, f"port {specification.port} is taken", PORT)
        elif name in self.dying:
            process.end(1, *self.dying[name])
        elif name not in self.mute:
            on_notice(Ready())
        return process

    def close(self):
        pass
