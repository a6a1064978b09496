#!/usr/bin/env python3
"""Streams that are read slowly, stay open in numbers, or outlive the daemon: nothing is lost, nobody starves."""
import hashlib
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import Daemon, skip_unless_root, until  # noqa: E402

SIZE = 100_000_000
LINE = b"0123456789abcdefghijklmnopqrstuvwxyz\n"
WRITE = "yes %s | head -c %d" % (LINE.decode().strip(), SIZE)


def expected_digest():
    digest = hashlib.sha256()
    block = LINE * 10000
    left = SIZE
    while left > 0:
        digest.update(block[:left])
        left -= len(block)
    return digest.hexdigest()


class Frames:
    """Digest and size of stdout out of a multiplexed stream, fed in pieces."""

    def __init__(self):
        self.digest, self.size, self.pending = hashlib.sha256(), 0, bytearray()
        self.left, self.stream = 0, 0

    def feed(self, data):
        self.pending += data
        at = 0
        while at < len(self.pending):
            if self.left == 0:
                if len(self.pending) - at < 8:
                    break
                self.stream = self.pending[at]
                self.left = int.from_bytes(self.pending[at + 4:at + 8], "big")
                at += 8
                continue
            piece = self.pending[at:at + self.left]
            if self.stream == 1:
                self.digest.update(piece)
                self.size += len(piece)
            self.left -= len(piece)
            at += len(piece)
        del self.pending[:at]


def read_sleepily(connection, first):
    """Reads to the end, asleep for two seconds in the beginning and now and then later."""
    frames = Frames()
    frames.feed(first)
    time.sleep(2)
    pieces = 0
    while True:
        piece = connection.recv(1 << 20)
        if not piece:
            return frames
        frames.feed(piece)
        pieces += 1
        if pieces % 500 == 0:
            time.sleep(0.2)


class SleepingReader(unittest.TestCase):
    def check(self, frames):
        self.assertEqual(frames.size, SIZE)
        self.assertEqual(frames.digest.hexdigest(), expected_digest())

    def test_run(self):
        with Daemon() as daemon:
            container = daemon.create(WRITE)
            stream, first, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1" % container, upgrade=True)
            daemon.start_container(container)
            self.check(read_sleepily(stream, first))
            self.assertEqual(daemon.wait(container), 0)

    def test_exec(self):
        with Daemon() as daemon:
            container = daemon.launch("sleep 1000")
            config = json.dumps({"AttachStdout": True, "Cmd": ["sh", "-c", WRITE]}).encode()
            made = json.loads(daemon.call("POST", "/containers/%s/exec" % container, config))["Id"]
            stream, first, _ = daemon.open("POST", "/exec/%s/start" % made, b'{"Detach":false,"Tty":false}', upgrade=True)
            self.check(read_sleepily(stream, first))
            self.assertEqual(daemon.get("/exec/%s/json" % made)["ExitCode"], 0)

    def test_attach_to_a_running_container(self):
        with Daemon() as daemon:
            # A reader that falls behind goes on from the log, so the log has to hold it all.
            container = daemon.launch("read go; " + WRITE, OpenStdin=True, host_config={
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1g"}}})
            stream, first, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1&stdin=1" % container, upgrade=True)
            stream.sendall(b"go\n")
            self.check(read_sleepily(stream, first))


class Starvation(unittest.TestCase):
    def wake_pools(self, daemon, container):
        """Threads of a pool that are started when first needed are there after this."""
        def work():
            for _ in range(20):
                daemon.inspect(container)
                daemon.remove(daemon.create("true"))
        workers = [threading.Thread(target=work) for _ in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def open_many(self, daemon, container, times):
        """Four waits, four followed logs and one stream of events, so many times."""
        opened = [daemon.open("POST", "/containers/%s/wait" % container) for _ in range(4 * times)]
        opened += [daemon.open("GET", "/containers/%s/logs?stdout=1&follow=1" % container) for _ in range(4 * times)]
        return opened + [daemon.open("GET", "/events") for _ in range(times)]

    def test_open_requests_hold_no_threads(self):
        with Daemon() as daemon:
            container = daemon.launch("sleep 1000")
            daemon.docker("run", "--rm", "--network", "none", "busybox", "true")
            self.wake_pools(daemon, container)
            threads, descriptors = daemon.threads(), daemon.descriptors()
            opened = self.open_many(daemon, container, 50)
            self.assertEqual({status for _, _, status in opened}, {200})
            self.assertEqual(daemon.threads(), threads)
            begun = time.monotonic()
            run = daemon.docker("run", "--rm", "--network", "none", "busybox", "echo", "works", timeout=20)
            self.assertEqual((run.returncode, run.stdout), (0, b"works\n"), run.stderr)
            self.assertLess(time.monotonic() - begun, 10)
            self.assertEqual(daemon.threads(), threads)
            for connection, _, _ in opened:
                connection.close()
            until(lambda: daemon.descriptors() <= descriptors + 5, 1,
                  lambda: "%d descriptors instead of %d" % (daemon.descriptors(), descriptors))


class Signals(unittest.TestCase):
    def test_kill_during_stop_answers_at_once(self):
        with Daemon() as daemon:
            container = daemon.launch('trap "" TERM; while :; do usleep 10000; done')
            answers = []
            stopping = threading.Thread(target=lambda: answers.append(daemon.request("POST", "/containers/%s/stop?t=20" % container)))
            begun = time.monotonic()
            stopping.start()
            time.sleep(0.5)
            asked = time.monotonic()
            daemon.call("POST", "/containers/%s/kill" % container)
            self.assertLess(time.monotonic() - asked, 1)
            stopping.join()
            self.assertEqual(answers[0][0], 204)
            self.assertLess(time.monotonic() - begun, 5)
            self.assertEqual(daemon.inspect(container)["State"]["ExitCode"], 137)


class LogOverRestart(unittest.TestCase):
    LINES = 100_000

    def test_no_line_is_missing(self):
        with Daemon() as daemon:
            container = daemon.launch("i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done" % self.LINES)
            daemon.stop()
            time.sleep(0.3)
            daemon.start()
            daemon.kill()
            daemon.start()
            self.assertEqual(daemon.wait(container, timeout=120), 0)
            lines = daemon.logs(container).decode().splitlines()
            self.assertEqual(lines, ["line %d" % number for number in range(self.LINES)])


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2, warnings="ignore")
