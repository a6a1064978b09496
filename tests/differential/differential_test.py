#!/usr/bin/env python3
"""The docker CLI's cases against our daemon: over unix socket, tcp and mutual TLS, with the system's CLI and
every one in FLO_DOCKER_CLIS (colon separated), against the committed answers; live against FLO_REFERENCE where set.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from harness import Daemon, skip_unless_root  # noqa: E402

# What a transport could break: streams in both directions, half-close, uploads, downloads, errors.
TRANSPORT_CASES = ["exec", "images", "logs", "run"]


def clis():
    named = [cli for cli in os.environ.get("FLO_DOCKER_CLIS", "").split(":") if cli]
    system = shutil.which("docker")
    return list(dict.fromkeys(([system] if system else []) + named))


def compare(host, cli, *options):
    return subprocess.run([sys.executable, os.path.join(HERE, "run.py"), "--host", host, "--cli", cli, *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def known_differences(cli):
    """Files of reviewed differences between this project and dockerd, for any CLI and for this one's major version."""
    version = subprocess.run([cli, "--version"], capture_output=True, text=True, check=True).stdout
    major = version.split("version ")[1].split(".")[0]
    names = ["differences-flotilla.json", "differences-flotilla-cli%s.json" % major]
    return [path for path in (os.path.join(HERE, name) for name in names) if os.path.exists(path)]


class Differential(unittest.TestCase):
    def check(self, daemon, host, cli, *options):
        for known in known_differences(cli):
            options += ("--known", known)
        result = compare(host, cli, "--netns", daemon.netns, *options)
        self.assertEqual(result.returncode, 0, result.stdout)
        print(result.stdout, flush=True)

    def test_unix_socket(self):
        for cli in clis():
            with self.subTest(cli), Daemon() as daemon:
                self.check(daemon, daemon.host, cli)

    def test_tcp(self):
        with Daemon(hosts=["tcp://127.0.0.1:2375"]) as daemon:
            self.check(daemon, "tcp://127.0.0.1:2375", clis()[0], *TRANSPORT_CASES)

    def test_mutual_tls(self):
        with tempfile.TemporaryDirectory() as certs:
            subprocess.run([os.path.join(HERE, "make_certs"), certs], check=True)
            options = ["--tlsverify", "--tlscacert", certs + "/ca.pem", "--tlscert", certs + "/server-cert.pem",
                       "--tlskey", certs + "/server-key.pem"]
            with Daemon(hosts=["tcp://127.0.0.1:2376"], options=options) as daemon:
                self.check(daemon, "tcp://127.0.0.1:2376", clis()[0], "--tls", certs, *TRANSPORT_CASES)
                self.check_refused_without_certificate(daemon, certs)

    def check_refused_without_certificate(self, daemon, certs):
        bare = subprocess.run(["nsenter", "--net=/run/netns/" + daemon.netns, clis()[0], "-H", "tcp://127.0.0.1:2376", "--tlsverify",
                               "--tlscacert", certs + "/ca.pem", "--tlscert", "", "--tlskey", "", "version"],
                              capture_output=True, text=True, env={**os.environ, "DOCKER_CERT_PATH": "/nonexistent"}, check=False)
        self.assertNotEqual(bare.returncode, 0, "a client without certificate was served")

    @unittest.skipUnless(os.environ.get("FLO_REFERENCE"), "FLO_REFERENCE names no other daemon")
    def test_live_against_reference(self):
        reference = os.environ["FLO_REFERENCE"]
        version = subprocess.run([clis()[0], "-H", reference, "version", "-f", "{{.Server.Version}}"], capture_output=True, text=True,
                                 check=True).stdout.strip()
        known = os.path.join(HERE, "differences-%s.json" % ".".join(version.split(".")[:2]))
        options = ["--known", known] if os.path.exists(known) else []
        with Daemon() as daemon:
            self.check(daemon, daemon.host, clis()[0], "--reference", reference, *options)


if __name__ == "__main__":
    skip_unless_root()
    if not clis():
        sys.exit("no docker CLI found (scripts/setup --tests fetches one)")
    unittest.main(verbosity=2, warnings="ignore")
