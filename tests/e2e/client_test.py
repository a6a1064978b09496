#!/usr/bin/env python3
"""Our own client's verbs, one after the other: output, exit codes, errors."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import TOP, Daemon, bin_dir, skip_unless_root  # noqa: E402

IMAGE = "busybox:latest"


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = None
        cls.host = os.environ.get("FLO_E2E_HOST")
        if not cls.host:
            cls.daemon = Daemon().__enter__()
            cls.host = cls.daemon.host

    @classmethod
    def tearDownClass(cls):
        if cls.daemon:
            cls.daemon.__exit__(None, None, None)

    def tearDown(self):
        self.flotilla("rm", "-f", "cl-test")

    def flotilla(self, *arguments, input=None, host=None):
        result = subprocess.run([os.path.join(bin_dir(), "flotilla"), *arguments], input=input, capture_output=True, timeout=60,
                                env={**os.environ, "DOCKER_HOST": host or self.host}, check=False)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def check(self, expected, *arguments, **options):
        self.assertEqual(self.flotilla(*arguments, **options), expected)

    def test_run_output_and_exit_code(self):
        self.check((3, "out\n", "err\n"), "run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3")

    def test_run_with_input(self):
        self.check((0, "typed", ""), "run", "-i", "--rm", IMAGE, "cat", input=b"typed")

    def test_megabytes_through_run(self):
        code, out, _ = self.flotilla("run", "--rm", IMAGE, "seq", "1", "300000")
        self.assertEqual((code, out), (0, "".join("%d\n" % number for number in range(1, 300001))))

    def test_run_flags_reach_the_container(self):
        self.check((0, "1\n/tmp\n1000\nbox\n", ""), "run", "--rm", "-e", "A=1", "-w", "/tmp", "-u", "1000", "--hostname", "box", "--memory", "64m",
                   "--cpus", "0.5", "--pids-limit", "20", "--read-only", "--tmpfs", "/t", "--cap-drop", "ALL", "--network", "none", "--init",
                   "-l", "a=b", IMAGE, "sh", "-c", "echo $A; pwd; id -u; hostname")

    def test_failures_of_run(self):
        for command, code in (("nosuch", 127), ("/etc", 126)):
            got, out, err = self.flotilla("run", "--rm", IMAGE, command)
            self.assertEqual((got, out), (code, ""))
            self.assertIn("flotilla: Error response from daemon: ", err)
        code, _, err = self.flotilla("run", "--rm", "127.0.0.1:1/nosuch-image:1", "true")  # nobody serves there
        self.assertEqual(code, 125)
        self.assertIn("Unable to find image '127.0.0.1:1/nosuch-image:1' locally\n", err)
        self.assertIn("connection refused", err)
        self.assertEqual(self.flotilla("run", "--nosuchflag", IMAGE)[0], 125)

    def test_life_of_a_container(self):
        code, identifier, _ = self.flotilla("run", "-d", "--name", "cl-test", "-e", "B=2", IMAGE, "sh", "-c", "echo begun; exec sleep 1000")
        self.assertEqual((code, len(identifier)), (0, 65))
        listed = self.flotilla("ps")[1].splitlines()
        self.assertRegex(listed[0], r"^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$")
        self.assertIn("cl-test", "".join(listed[1:]))
        self.check((0, identifier[:12] + "\n", ""), "ps", "-q", "-f", "name=cl-test")
        self.check((5, "2\n", ""), "exec", "cl-test", "sh", "-c", "echo $B; exit 5")
        self.check((0, "typed", ""), "exec", "-i", "cl-test", "cat", input=b"typed")
        self.check((0, "begun\n", ""), "logs", "cl-test")
        self.check((0, "cl-test\n", ""), "stop", "-t", "0", "cl-test")
        self.check((0, "", ""), "ps", "-q", "-f", "name=cl-test")
        self.assertIn("Exited (137)", self.flotilla("ps", "-a", "-f", "name=cl-test")[1])
        self.check((0, "cl-test\n", ""), "rm", "cl-test")
        self.check((1, "", "Error response from daemon: No such container: cl-test\n"), "rm", "cl-test")
        self.check((1, "", "Error response from daemon: No such container: cl-test\n"), "logs", "cl-test")

    def test_images_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, "image.tar")
            subprocess.run([sys.executable, os.path.join(TOP, "scripts", "make-image"), "--tag", "cl-test/image:1", "--output", archive], check=True)
            self.check((0, "Loaded image: cl-test/image:1\n", ""), "load", "-i", archive)
            with open(archive, "rb") as content:
                self.check((0, "Loaded image: cl-test/image:1\n", ""), "load", input=content.read())
        self.assertRegex(self.flotilla("images", "cl-test/image")[1], r"REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\ncl-test/image +1 ")
        self.assertEqual(self.flotilla("load", input=b"no archive")[0], 1)

    def test_version_info_and_no_daemon(self):
        self.assertIn("Server:", self.flotilla("version")[1])
        self.assertIn(" Containers: ", self.flotilla("info")[1])
        code, _, err = self.flotilla("ps", host="unix:///nonexistent.sock")
        self.assertEqual(code, 1)
        self.assertIn("Cannot connect to the Docker daemon at unix:///nonexistent.sock. Is the docker daemon running?", err)


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2, warnings="ignore")
