"""A stock dockerd of the distribution to compare with, in namespaces and folders of its own."""
import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
import time

START_TIMEOUT = 60
STOP_TIMEOUT = 60


UNPACKED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "tools", "dockerd")  # by scripts/setup


def environment():
    """With what scripts/setup unpacked, where it did."""
    root = os.path.realpath(UNPACKED)
    libraries = [os.path.join(root, part) for part in glob.glob("usr/lib/*-linux-gnu*", root_dir=root) + glob.glob("lib/*-linux-gnu*", root_dir=root)]
    plugins = glob.glob(os.path.join(root, "usr/lib/*-linux-gnu*/xtables"))
    return {**os.environ, "PATH": "%s/usr/sbin:%s/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin" % (root, root),
            **({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}), **({"XTABLES_LIBDIR": plugins[0]} if plugins else {})}


def find():
    """(program, "20.10") of the dockerd that is installed or unpacked; None without one."""
    program = os.environ.get("FLO_DOCKERD") or shutil.which("dockerd", path=environment()["PATH"])
    if not program:
        return None
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=environment()).stdout
    return program, ".".join(version.split("version ")[1].split(".")[:2])


def wait_for(socket, process, log):
    deadline = time.monotonic() + START_TIMEOUT
    while subprocess.run(["curl", "-sf", "--unix-socket", socket, "http://d/_ping"], capture_output=True, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise RuntimeError("dockerd does not answer:\n" + "".join(text.readlines()[-10:]))
        time.sleep(0.1)


def netns_of(endpoint):
    """The network namespace of a dockerd() by its endpoint: its containers' published ports are in it."""
    return os.path.basename(os.path.dirname(endpoint))


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
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, env=environment())
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
