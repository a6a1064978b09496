#!/usr/bin/env python3
"""--validate of every service: it approves what starts and names what does not."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import TOP, bin_dir  # noqa: E402


class Validate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="fl-validate-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.key = os.path.join(cls.folder.name, "cluster.key")
        with open(cls.key, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(os.urandom(32))
        cls.queue = ("--queue", "redis://127.0.0.1:1", "--cluster-key", cls.key, "--config-file", "/dev/null")

    def validate(self, program, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOTILLA_", "SWARM_"))}
        return subprocess.run([os.path.join(bin_dir(), program), "--validate", *arguments], capture_output=True, text=True, timeout=20,
                              env=environment, check=False)

    def approved(self, program, *arguments):
        done = self.validate(program, *arguments)
        self.assertEqual((done.returncode, done.stdout), (0, "configuration OK\n"), done.stderr)

    def refused(self, why, program, *arguments):
        done = self.validate(program, *arguments)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout, "")
        self.assertIn(why, done.stderr)

    def test_gateway(self):
        one = (*self.queue, "--engine", "e")
        self.approved("flotilla-api-gateway", *one)
        self.approved("flotilla-api-gateway", *self.queue, "--discovery", "nodes://10.0.0.1:2374")
        self.refused("either --engine (one host) or --discovery", "flotilla-api-gateway", *self.queue)
        self.refused("tls needs --tlscert", "flotilla-api-gateway", *one, "--tls")
        self.refused("loud", "flotilla-api-gateway", *one, "--log-level", "loud")
        self.refused("--cluster-heartbeat", "flotilla-api-gateway", *self.queue, "--discovery", "nodes://10.0.0.1:2374",
                     "--cluster-heartbeat", "1ms")
        self.refused("/nonexistent.key", "flotilla-api-gateway", "--engine", "e", "--queue", "redis://127.0.0.1:1", "--cluster-key",
                     "/nonexistent.key")

    def test_engine(self):
        self.approved("flotilla-engine", *self.queue, "--label", "rack=1", "--max-concurrent-downloads", "6", "--max-download-attempts", "2")
        self.refused("bad attribute format: rack", "flotilla-engine", *self.queue, "--label", "rack")
        self.refused("max-concurrent-downloads", "flotilla-engine", *self.queue, "--max-concurrent-downloads", "0")
        self.refused("loud", "flotilla-engine", *self.queue, "--log-level", "loud")

    def test_small_services(self):
        for program in ("flotilla-discovery", "flotilla-registry-proxy"):
            self.approved(program, "-H", "tcp://127.0.0.1:1", "--debug", "--log-format", "json")
            self.refused("loud", program, "--log-level", "loud")
            self.refused("xml", program, "--log-format", "xml")

    def test_what_is_deployed(self):
        folder = os.path.join(TOP, "deploy", "systemd", "etc")
        for name in ("discovery", "registry-proxy"):
            self.approved("flotilla-" + name, "--config-file", os.path.join(folder, name + ".json"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
