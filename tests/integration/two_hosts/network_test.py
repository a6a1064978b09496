#!/usr/bin/env python3
"""The namespaces that stand for hosts: they reach each other, can be cut off, and leave nothing behind."""
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "lib"))
from harness import skip_unless_root, until  # noqa: E402
from hosts import Network  # noqa: E402

SERVER = """
import socket
listener = socket.create_server(("0.0.0.0", 7000))
while True:
    connection, peer = listener.accept()
    connection.sendall(peer[0].encode())
    connection.close()
"""
CLIENT = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7000), timeout=1)
sys.stdout.write(connection.recv(100).decode())
"""


def asked(source, target):
    """Whom `target` sees when `source` connects; "" when nobody answers."""
    done = subprocess.run(["nsenter", "--net=/run/netns/" + source.netns, sys.executable, "-c", CLIENT, target.address],
                          capture_output=True, text=True, check=False, timeout=20)
    return done.stdout


class NetworkTest(unittest.TestCase):
    def test_hosts_reach_each_other_until_one_is_cut_off(self):
        with Network() as network:
            one, two = network.hosts
            two.start("server", sys.executable, "-c", SERVER)
            until(lambda: asked(one, two) == one.address, 10, "node-2 does not answer")
            two.cut()
            self.assertEqual(asked(one, two), "")
            self.assertIsNone(two.processes["server"].poll(), "a host that is cut off lives on")
            two.heal()
            until(lambda: asked(one, two) == one.address, 10, "node-2 does not come back")
            self.assertEqual(two.stop("server", signal.SIGKILL), -signal.SIGKILL)

    def test_nothing_is_left_behind(self):
        with Network(hosts=3) as network:
            process = network.hosts[0].start("sleeper", "sleep", "600")
            namespaces = [network.netns, *(host.netns for host in network.hosts)]
            for name in namespaces:
                self.assertTrue(os.path.exists("/run/netns/" + name))
        self.assertIsNotNone(process.poll())
        self.assertFalse(os.path.exists(network.folder))
        for name in namespaces:
            self.assertFalse(os.path.exists("/run/netns/" + name))


if __name__ == "__main__":
    skip_unless_root()
    unittest.main()
