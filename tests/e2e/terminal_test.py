#!/usr/bin/env python3
"""`run -it` and `exec -it` through a pseudo terminal: resize, Ctrl-C, Ctrl-P Ctrl-Q, exit codes.

With every docker CLI (FLO_DOCKER_CLIS adds some) and our own client. FLO_E2E_HOST uses a daemon that already runs instead of one of our own.
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import Daemon, bin_dir, docker_clis, skip_unless_root  # noqa: E402

IMAGE = "busybox:latest"
PROMPT = r"/ #"


class Terminal:
    """A program on a pseudo terminal of its own, like a user's."""

    def __init__(self, command, environment, rows=30, columns=100):
        self.screen = ""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, timeout):
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # EIO: the program has closed its end
            return False
        self.screen += piece.decode(errors="replace")
        return bool(piece)

    def expect(self, pattern, timeout=20):
        """Waits until the pattern shows up, and forgets the screen up to its end."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.screen)
            if found:
                self.screen = self.screen[found.end():]
                return found
            left = deadline - time.monotonic()
            if left <= 0 or (not self.read(left) and self.ended()):
                raise AssertionError("%r did not show up; on the screen: %r" % (pattern, self.screen))

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def exit_code(self, timeout=20):
        deadline = time.monotonic() + timeout
        while not self.ended():
            if time.monotonic() > deadline:
                raise AssertionError("the program does not end; on the screen: %r" % self.screen)
            self.read(0.05)
        return self.status

    def close(self):
        if not self.ended():
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class TerminalCases:
    """The same for every client; `client` is its program."""

    client = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = None
        cls.host = os.environ.get("FLO_E2E_HOST")
        if not cls.host:
            cls.daemon = Daemon().__enter__()
            cls.host = cls.daemon.host
        cls.environment = {**os.environ, "DOCKER_HOST": cls.host, "TERM": "xterm"}

    @classmethod
    def tearDownClass(cls):
        if cls.daemon:
            cls.daemon.__exit__(None, None, None)

    def setUp(self):
        self.name = "term-%d-%d" % (os.getpid(), time.monotonic_ns())
        self.terminals = []

    def tearDown(self):
        for terminal in self.terminals:
            terminal.close()
        self.plain("rm", "-f", self.name)

    def terminal(self, *arguments):
        opened = Terminal([self.client, *arguments], self.environment)
        self.terminals.append(opened)
        return opened

    def plain(self, *arguments):
        return subprocess.run([self.client, *arguments], env=self.environment, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)

    def run_shell(self, *options):
        shell = self.terminal("run", "-it", "--name", self.name, *options, IMAGE, "sh")
        shell.expect(PROMPT)
        return shell

    def expect_size(self, shell, rows, columns):
        """A client may not listen for size changes yet when its prompt shows: change it until it is seen."""
        for attempt in range(10):
            shell.resize(rows - 1, columns)
            shell.resize(rows, columns)
            shell.type("sleep 0.3; stty size\r")
            if shell.expect(r"(\d+ \d+)\r\n").group(1) == "%d %d" % (rows, columns):
                return
            shell.expect(PROMPT)
        self.fail("the size inside did not follow in %d attempts" % (attempt + 1))

    def background(self):
        started = self.plain("run", "-d", "--name", self.name, IMAGE, "sleep", "1000")
        self.assertEqual(started.returncode, 0, started.stderr)

    def test_shell_session(self):
        shell = self.run_shell("--rm")
        shell.type("echo $((6*7))\r")
        shell.expect(r"\r\n42\r\n")
        shell.type("tty\r")
        shell.expect(r"/dev/pts/0\r\n")
        shell.type("exit 0\r")
        self.assertEqual(shell.exit_code(), 0)

    def test_exit_code_of_the_shell(self):
        shell = self.run_shell("--rm")
        shell.type("exit 42\r")
        self.assertEqual(shell.exit_code(), 42)

    def test_size_follows_the_terminal(self):
        shell = self.run_shell("--rm")
        self.expect_size(shell, 35, 110)
        shell.expect(PROMPT)
        self.expect_size(shell, 41, 123)
        shell.type("exit\r")
        self.assertEqual(shell.exit_code(), 0)

    def test_ctrl_c_interrupts_the_program_inside(self):
        shell = self.run_shell("--rm")
        shell.type("sleep 1000\r")
        shell.expect("sleep 1000")
        time.sleep(0.3)
        shell.type("\x03")
        shell.expect(PROMPT)
        shell.type("echo code $?\r")
        shell.expect(r"code 130\r\n")
        shell.type("exit 1\r")
        self.assertEqual(shell.exit_code(), 1)

    def test_detach_and_attach_again(self):
        shell = self.run_shell()
        shell.type("\x10\x11")
        self.assertEqual(shell.exit_code(), 0)
        listed = self.plain("ps", "-f", "name=" + self.name)
        self.assertIn("Up ", listed.stdout)
        again = self.terminal("exec", "-it", self.name, "sh")
        again.expect(PROMPT)
        again.type("exit 3\r")
        self.assertEqual(again.exit_code(), 3)

    def test_exec_session_with_resize(self):
        self.background()
        shell = self.terminal("exec", "-it", self.name, "sh")
        shell.expect(PROMPT)
        self.expect_size(shell, 50, 150)
        shell.expect(PROMPT)
        shell.type("sleep 1000\r")
        shell.expect("sleep 1000")
        time.sleep(0.3)
        shell.type("\x03")
        shell.expect(PROMPT)
        shell.type("exit 7\r")
        self.assertEqual(shell.exit_code(), 7)

    def test_failures_give_dockers_codes(self):
        for command, code in [("nosuch", 127), ("/nosuch", 127), ("/etc", 126), ("/etc/passwd", 126)]:
            run = self.terminal("run", "-it", "--rm", IMAGE, command)
            self.assertEqual(run.exit_code(), code, command)
        self.assertEqual(self.terminal("run", "-it", "--rm", "--memory", "wrong", IMAGE, "true").exit_code(), 125)
        self.assertEqual(self.terminal("run", "-it", "--rm", "--network", "nosuch", IMAGE, "true").exit_code(), 125)
        self.assertEqual(self.terminal("run", "-it", "--rm", "--nosuchflag", IMAGE, "true").exit_code(), 125)
        self.background()
        self.assertEqual(self.terminal("exec", "-it", self.name, "nosuch").exit_code(), 127)
        self.assertEqual(self.terminal("exec", "-it", self.name, "/etc").exit_code(), 126)

    def test_killed_from_outside(self):
        shell = self.run_shell()
        self.plain("stop", "-t", "0", self.name)
        self.assertEqual(shell.exit_code(), 137)

    def test_killed_exec(self):
        self.background()
        shell = self.terminal("exec", "-it", self.name, "sh", "-c", "kill -9 $$")
        self.assertEqual(shell.exit_code(), 137)

    def test_terminal_is_restored(self):
        shell = self.terminal("run", "-it", "--rm", IMAGE, "true")
        before = termios.tcgetattr(shell.fd)
        self.assertEqual(shell.exit_code(), 0)
        self.assertEqual(termios.tcgetattr(shell.fd)[3] & (termios.ECHO | termios.ICANON),
                         before[3] & (termios.ECHO | termios.ICANON) or termios.ECHO | termios.ICANON)


class DockerCases(TerminalCases):
    """Verbs that only docker has so far, and words of its own."""

    def test_attach_to_a_terminal_and_detach(self):
        started = self.plain("run", "-dit", "--name", self.name, IMAGE, "sh")
        self.assertEqual(started.returncode, 0, started.stderr)
        first = self.terminal("attach", self.name)
        first.type("echo $((6*7))\r")
        first.expect(r"\r\n42\r\n")
        first.type("\x10\x11")
        first.expect("read escape sequence")
        self.assertEqual(first.exit_code(), 1)
        again = self.terminal("attach", self.name)
        again.type("exit 5\r")
        self.assertEqual(again.exit_code(), 5)

    def test_exec_is_left_with_the_detach_keys(self):
        self.background()
        shell = self.terminal("exec", "-it", self.name, "sh")
        shell.expect(PROMPT)
        shell.type("\x10\x11")
        shell.expect("read escape sequence")
        self.assertEqual(shell.exit_code(), 1)
        self.assertIn("Up ", self.plain("ps", "-f", "name=" + self.name).stdout)


def load_tests(loader, _tests, _pattern):
    """The cases once for each client."""
    clients = [("DockerCli%d" % number, DockerCases, cli) for number, cli in enumerate(docker_clis())]
    clients.append(("OurClient", TerminalCases, os.path.join(bin_dir(), "flotilla")))
    suite = unittest.TestSuite()
    for name, cases, program in clients:
        suite.addTests(loader.loadTestsFromTestCase(type(name, (cases, unittest.TestCase), {"client": program})))
    return suite


if __name__ == "__main__":
    skip_unless_root()
    if not docker_clis():
        sys.exit("no docker CLI found (scripts/setup --tests fetches one)")
    unittest.main(verbosity=2, warnings="ignore")
