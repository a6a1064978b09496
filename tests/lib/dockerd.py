"""A stock dockerd of the distribution to compare with, in namespaces and folders of its own."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

START_TIMEOUT = 60
STOP_TIMEOUT = 60


def find():
    """(program, "20.10") of the dockerd that is installed; None without one."""
    program = os.environ.get("FLO_DOCKERD") or shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if not program:
        return None
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return program, ".".join(version.split("version ")[1].split(".")[:2])


def wait_for(socket, process, log):
    deadline = time.monotonic() + START_TIMEOUT
    while subprocess.run(["curl", "-sf", "--unix-socket", socket, "http://d/_ping"], capture_output=True, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise RuntimeError("dockerd does not answer:\n" + "".join(text.readlines()[-10:]))
        time.sleep(0.1)


@contextlib.contextmanager
def dockerd(program):
    """Runs it, and gives its endpoint. Its mounts and links end with its namespaces, its cgroup is removed."""
    folder = tempfile.mkdtemp(prefix="fl-dockerd-", dir="/tmp")
    name = os.path.basename(folder)
    socket, log = os.path.join(folder, "docker.sock"), os.path.join(folder, "log")
    subprocess.run(["ip", "netns", "add", name], check=True)
    process = None
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["nsenter", "--net=/run/netns/" + name, "unshare", "--mount", "--propagation", "private", program,
                 "--data-root", os.path.join(folder, "root"), "--exec-root", os.path.join(folder, "run"),
                 "--pidfile", os.path.join(folder, "pid"), "--cgroup-parent", "/" + name, "-H", "unix://" + socket],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        wait_for(socket, process, log)
        yield "unix://" + socket
    finally:
        if process:
            process.terminate()
            process.wait(STOP_TIMEOUT)
        subprocess.run(["ip", "netns", "del", name], check=False)
        subprocess.run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/%s*" % name, "-exec", "rmdir", "{}", ";"],
                       capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
