#!/usr/bin/env python3
"""The docker CLI's cases on the endpoint of two hosts: the answers are those of one dockerd, but for the reviewed
differences in tests/differential/differences-two-hosts.json, each with its reason."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from cluster import REDIS, Cluster  # noqa: E402
from harness import SKIPPED, docker_clis, skip_unless_root  # noqa: E402
from recorded import compare  # noqa: E402

NODES = r"node-[23]/"  # before names in lists


class Differential(unittest.TestCase):
    def test_recorded_answers(self):
        clis = docker_clis()
        if not clis:
            self.skipTest("no docker CLI")
        with Cluster() as cluster:
            for cli in clis:
                done = compare(cluster.host, cli, cluster.centre.netns, "--hide", NODES,
                               known=["differences-two-hosts.json"])
                with self.subTest(cli=cli):
                    self.assertEqual(done.returncode, 0, done.stdout)
                    print(done.stdout, flush=True)


if __name__ == "__main__":
    skip_unless_root()
    if not REDIS:
        print("SKIP: redis-server is not installed")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2, warnings="ignore")
