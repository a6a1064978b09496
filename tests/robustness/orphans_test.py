#!/usr/bin/env python3
"""Shims that nobody owns any more: those of containers the store does not know, and those of containers that a client
attached to and never started. They are ended, with everything that belongs to them."""
import glob
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from harness import Daemon, skip_unless_root, until  # noqa: E402


def shim_of(daemon, container):
    """The process ID of a container's shim, by its working directory; None without one."""
    folder = os.path.join(daemon.run_dir, "containers", container)
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if os.readlink(link) == folder:
                return int(link.split("/")[2])
        except OSError:
            continue
    return None


def left_of(daemon, container):
    """What of a container is still on the machine."""
    left = [path for path in (os.path.join(daemon.run_dir, "containers", container), os.path.join(daemon.root, "containers", container),
                              os.path.join(daemon.run_dir, "crun", container)) if os.path.exists(path)]
    left += glob.glob("/sys/fs/cgroup/flotilla/" + container) + glob.glob("/sys/fs/cgroup/*/flotilla/" + container)
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        left += [line for line in mounts if container in line]
    links = subprocess.run(["ip", "-n", daemon.netns, "-o", "link", "show", "type", "veth"], capture_output=True, text=True, check=True)
    left += [line for line in links.stdout.splitlines() if "LOWER_UP" in line]  # those in reserve have no carrier
    shim = shim_of(daemon, container)
    return left + (["shim %d" % shim] if shim else [])


class Orphans(unittest.TestCase):
    def test_containers_the_store_does_not_know(self):
        with Daemon() as daemon:
            running = daemon.launch("trap '' TERM; while :; do sleep 1; done",
                                    host_config={"NetworkMode": "bridge", "RestartPolicy": {"Name": "always"}})
            backing_off = daemon.launch("exit 1", host_config={"RestartPolicy": {"Name": "always"}})
            paused = daemon.launch("sleep 1000")
            daemon.call("POST", "/containers/%s/pause" % paused)
            pid = daemon.inspect(running)["State"]["Pid"]
            kept = daemon.launch("sleep 1000")
            daemon.kill()
            self.forget(daemon, [running, backing_off, paused])
            daemon.start()
            for container in (running, backing_off, paused):
                until(lambda: not left_of(daemon, container), 20, lambda: "left: %s" % left_of(daemon, container))
            self.assertFalse(os.path.exists("/proc/%d" % pid))
            self.assertEqual(left_of(daemon, running), [])
            self.assertEqual(daemon.inspect(kept)["State"]["Status"], "running")

    def test_a_container_attached_to_and_never_started(self):
        with Daemon() as daemon:
            container = daemon.create("echo ran", host_config={"NetworkMode": "bridge"})
            clients = [daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1" % container, upgrade=True)[0] for _ in range(2)]
            shim = shim_of(daemon, container)
            self.assertIsNotNone(shim)
            clients[0].close()
            daemon.kill()  # the other client's stream ends with the daemon: nobody is left
            clients[1].close()
            until(lambda: not os.path.exists("/proc/%d" % shim), 20, "the shim waits for a start that will not come")
            daemon.start()
            until(lambda: [item for item in left_of(daemon, container) if "/root/" not in item] == [], 20,
                  lambda: "left: %s" % left_of(daemon, container))
            daemon.start_container(container)
            self.assertEqual(daemon.wait(container), 0)
            self.assertEqual(daemon.logs(container), b"ran\n")

    def test_the_last_client_goes_while_the_daemon_runs(self):
        with Daemon() as daemon:
            container = daemon.create("echo ran", host_config={"NetworkMode": "bridge"})
            for _ in range(2):  # the second client meets a shim that leaves, or makes another
                client, _, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1" % container, upgrade=True)
                client.close()
            until(lambda: [item for item in left_of(daemon, container) if "/root/" not in item] == [], 20,
                  lambda: "left: %s" % left_of(daemon, container))
            daemon.start_container(container)
            self.assertEqual(daemon.wait(container), 0)

    def test_input_waits_for_the_start_when_its_client_has_gone(self):
        with Daemon() as daemon:
            for sent in (b"", b"typed ahead\n"):
                container = daemon.create("cat; echo end", OpenStdin=True, StdinOnce=True)
                before = daemon.descriptors()
                client, _, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdin=1" % container, upgrade=True)
                client.sendall(sent)
                client.close()
                until(lambda: daemon.descriptors() <= before, 20, "the daemon keeps the client's connection")
                daemon.start_container(container)
                self.assertEqual(daemon.wait(container, timeout=20), 0)
                self.assertEqual(daemon.logs(container), sent + b"end\n")

    def test_an_attached_client_keeps_its_shim(self):
        with Daemon() as daemon:
            container = daemon.create("echo ran")
            gone, _, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1" % container, upgrade=True)
            stays, _, _ = daemon.open("POST", "/containers/%s/attach?stream=1&stdout=1" % container, upgrade=True)
            gone.close()
            daemon.start_container(container)
            frame = stays.recv(100)
            self.assertIn(b"ran\n", frame + stays.recv(100))
            stays.close()

    def forget(self, daemon, containers):
        [path] = glob.glob(os.path.join(daemon.root, "*.db"))
        with sqlite3.connect(path) as store:
            for container in containers:
                self.assertEqual(store.execute("DELETE FROM containers WHERE id = ?", (container,)).rowcount, 1)
        store.close()


if __name__ == "__main__":
    skip_unless_root()
    unittest.main(verbosity=2, warnings="ignore")
