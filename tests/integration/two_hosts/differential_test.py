#!/usr/bin/env python3
"""The docker CLI's cases on the endpoint of two hosts: the answers are those of one dockerd, but for the reviewed
differences in tests/differential/differences-two-hosts.json, each with its reason."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from cluster import REDIS, Cluster  # noqa: E402
from harness import SKIPPED, TOP, docker_clis, skip_unless_root  # noqa: E402

CASES = os.path.join(TOP, "tests", "differential")
NODES = r"node-[23]/"  # before names in lists


class Differential(unittest.TestCase):
    def test_recorded_answers(self):
        clis = docker_clis()
        if not clis:
            self.skipTest("no docker CLI")
        with Cluster() as cluster:
            for cli in clis:
                done = subprocess.run(
                    [sys.executable, os.path.join(CASES, "run.py"), "--host", cluster.host, "--cli", cli, "--netns",
                     cluster.centre.netns, "--hide", NODES, "--known", os.path.join(CASES, "differences-flotilla.json"),
                     "--known", os.path.join(CASES, "differences-two-hosts.json")],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                with self.subTest(cli=cli):
                    self.assertEqual(done.returncode, 0, done.stdout)
                    print(done.stdout, flush=True)


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
