#!/usr/bin/env python3
"""The docker CLI's cases against our daemon, compared with the answers recorded from dockerd: every case with every
CLI (the system's and those in FLO_DOCKER_CLIS, colon separated) over unix socket, tcp and mutual TLS, each on a
daemon of its own, some at a time. Live against the daemon named in FLO_REFERENCE where that is set.
"""
import contextlib
import os
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import dockerd  # noqa: E402
from harness import Daemon, docker_clis as clis, is_full, skip_unless_root  # noqa: E402
from recorded import compare  # noqa: E402

TCP = "tcp://127.0.0.1:2375"  # in a network namespace of the daemon's own
TLS = "tcp://127.0.0.1:2376"
AT_ONCE = 3  # daemons under test; a case waits more than it works


@contextlib.contextmanager
def tls_daemon():
    """A daemon that serves mutual TLS, and the folder of its certificates."""
    with tempfile.TemporaryDirectory() as certs:
        subprocess.run([os.path.join(HERE, "make_certs"), certs], check=True)
        options = ["--tlsverify", "--tlscacert", certs + "/ca.pem", "--tlscert", certs + "/server-cert.pem",
                   "--tlskey", certs + "/server-key.pem"]
        with Daemon(hosts=[TLS], options=options) as daemon:
            yield daemon, certs


def over_unix(cli):
    with Daemon() as daemon:
        return compare(daemon.host, cli, daemon.netns)


def over_tcp(cli):
    with Daemon(hosts=[TCP]) as daemon:
        return compare(TCP, cli, daemon.netns)


def over_tls(cli):
    with tls_daemon() as (daemon, certs):
        return compare(TLS, cli, daemon.netns, "--tls", certs)


class Differential(unittest.TestCase):
    def test_recorded_answers(self):
        rounds = [(transport, cli) for cli in clis() for transport in (over_unix, over_tcp, over_tls)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = [pool.submit(transport, cli) for transport, cli in rounds]
            for (transport, cli), result in zip(rounds, results):
                with self.subTest(transport.__name__, cli=cli):
                    done = result.result()
                    self.assertEqual(done.returncode, 0, done.stdout)
                    print(done.stdout, flush=True)

    def test_no_certificate_no_service(self):
        with tls_daemon() as (daemon, certs):
            bare = subprocess.run(["nsenter", "--net=/run/netns/" + daemon.netns, clis()[0], "-H", TLS, "--tlsverify",
                                   "--tlscacert", certs + "/ca.pem", "--tlscert", "", "--tlskey", "", "version"],
                                  capture_output=True, text=True, env={**os.environ, "DOCKER_CERT_PATH": "/nonexistent"}, check=False)
            self.assertNotEqual(bare.returncode, 0, "a client without certificate was served")

    def check_live(self, reference, version):
        """Every case on both daemons; what differs has to be in the reviewed list of that version."""
        reviewed = "differences-dockerd-%s.json" % version
        known = [reviewed] if os.path.exists(os.path.join(HERE, reviewed)) else []
        with Daemon() as daemon:
            done = compare(daemon.host, clis()[0], daemon.netns, "--reference", reference, known=known)
        self.assertEqual(done.returncode, 0, done.stdout)
        print(done.stdout, flush=True)

    @unittest.skipUnless(os.environ.get("FLO_REFERENCE"), "FLO_REFERENCE names no other daemon")
    def test_live_against_reference(self):
        reference = os.environ["FLO_REFERENCE"]
        version = subprocess.run([clis()[0], "-H", reference, "version", "-f", "{{.Server.Version}}"], capture_output=True, text=True,
                                 check=True).stdout.strip()
        self.check_live(reference, ".".join(version.split(".")[:2]))

    @unittest.skipUnless(is_full(), "only with --full: dockerd needs minutes")
    def test_live_against_dockerd_of_the_distribution(self):
        found = dockerd.find()
        if not found or not os.path.exists(os.path.join(HERE, "differences-dockerd-%s.json" % found[1])):
            self.skipTest("no dockerd with a reviewed list of differences here: %s" % (found,))
        with dockerd.dockerd(found[0]) as reference:
            self.check_live(reference, found[1])


if __name__ == "__main__":
    skip_unless_root()
    if not clis():
        sys.exit("no docker CLI found (scripts/setup --tests fetches one)")
    unittest.main(verbosity=2, warnings="ignore")
