"""Work for daemons under test that is checked afterwards: what was acknowledged, what took effect, and how often."""
import http.client
import os
import threading
import time

from harness import ApiError

CUT = (OSError, http.client.HTTPException)  # what a killed daemon's client sees
COUNTING = "i=0; while :; do echo $i; i=$((i+1)); usleep 3000; done"


class Churn(threading.Thread):
    """Creates, starts, waits for and removes containers; remembers what the daemon acknowledged."""

    def __init__(self, daemon, number, stop):
        super().__init__()
        self.daemon_under_test, self.stop = daemon, stop
        # A name is taken for some seconds after its gateway was killed: no test shares another's.
        self.prefix = "churn-%s-%d" % (os.urandom(3).hex(), number)
        self.created, self.started, self.removed = {}, set(), set()  # created: name -> (id, exit code)
        self.asked_to_start, self.asked_to_remove = set(), set()
        self.problems = []
        self.runs = 0

    def run(self):
        while not self.stop.is_set():
            self.runs += 1
            try:
                self.one("%s-%d" % (self.prefix, self.runs), self.runs % 7)
            except CUT:
                time.sleep(0.02)
            except ApiError as problem:
                if problem.status not in (503,):
                    self.problems.append("%s" % problem)

    def one(self, name, code):
        daemon = self.daemon_under_test
        container = daemon.create("echo once >> /marks/%s; exit %d" % (name, code), name=name,
                                  host_config={"Binds": [os.path.join(daemon.folder, "marks") + ":/marks"]})
        self.created[name] = (container, code)
        self.asked_to_start.add(name)
        daemon.start_container(container)
        self.started.add(name)
        got = daemon.wait(container)
        if got != code:
            self.problems.append("%s: wait answered %d, not %d" % (name, got, code))
        if self.runs % 3 == 0:
            self.asked_to_remove.add(name)
            daemon.remove(container)
            self.removed.add(name)


class Execs(threading.Thread):
    """Execs whose output and exit code are checked when the daemon lived to the end of them."""

    def __init__(self, daemon, container, stop):
        super().__init__()
        self.daemon_under_test, self.container, self.stop = daemon, container, stop
        self.problems = []
        self.done = 0

    def run(self):
        while not self.stop.is_set():
            result = self.daemon_under_test.docker("exec", self.container, "sh", "-c", "echo token; exit 3")
            errors = result.stderr.decode()
            if result.returncode == 3 and result.stdout == b"token\n":
                self.done += 1
            elif result.returncode == 3:
                self.problems.append("exec gave 3 with output %r" % result.stdout)
            elif result.returncode == 0:
                self.problems.append("exec gave 0 instead of 3: %r" % errors)
            else:
                time.sleep(0.02)


class LoadChecks:
    """For a TestCase: whether everything is as the load left it."""

    def check_steady(self, daemon, steady, before, number):
        for container, old in zip(steady, before):
            state = daemon.inspect(container)["State"]
            self.assertEqual((state["Status"], state["Pid"], state["StartedAt"]), ("running", old["Pid"], old["StartedAt"]),
                             "round %d" % number)

    def check_churn(self, daemon, churn):
        self.assertGreater(churn.runs, 0)
        for name, (container, code) in churn.created.items():
            marks = os.path.join(daemon.folder, "marks", name)
            if name in churn.removed:
                self.assertRaises(ApiError, daemon.inspect, container)
            elif name not in churn.asked_to_remove:
                self.assertEqual(daemon.inspect(container)["Name"], "/" + name, "an acknowledged create is gone")
                if name in churn.started:
                    self.assertEqual(daemon.wait(container), code)
                    self.assertEqual(daemon.inspect(container)["State"]["ExitCode"], code)
            ran = 0
            if os.path.exists(marks):
                with open(marks, encoding="utf-8") as lines:
                    ran = len(lines.readlines())
            if name in churn.started:
                self.assertEqual(ran, 1, "%s ran %d times" % (name, ran))
            else:
                self.assertLessEqual(ran, 1, "%s ran %d times" % (name, ran))

    def check_logs(self, daemon, steady):
        for container in steady:
            daemon.call("POST", "/containers/%s/kill" % container)
            daemon.wait(container)
            lines = daemon.logs(container).decode().split()
            self.assertGreater(len(lines), 100)
            self.assertEqual(lines, [str(number) for number in range(len(lines))], "log lines are missing or twice there")
