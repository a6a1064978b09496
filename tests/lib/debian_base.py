"""A debian:<suite>-slim made by debootstrap from this machine's mirror, since no image can be pulled, with the packages
in it that images are going to need: a build in a namespace reaches no mirror."""
import hashlib
import os
import shutil
import subprocess
import tempfile

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = os.path.join(TOP, "build", "tools")
# As Debian's own slim image leaves out what no program reads.
NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "var/cache/apt", "var/log",
              "var/lib/apt/lists")
TIMEOUT = 900


def suite():
    """This machine's own Debian: programs built here find their libraries in it. None on another system."""
    with open("/etc/os-release", encoding="utf-8") as text:
        facts = dict(line.strip().replace('"', "").split("=", 1) for line in text if "=" in line)
    return facts.get("VERSION_CODENAME") if facts.get("ID") == "debian" else None


def why_not():
    """The reason why there can be none here; None when it can be made."""
    if not suite():
        return "the base of the images is made of this machine's Debian, and it has none"
    if not shutil.which("debootstrap"):
        return "debootstrap is missing (scripts/setup --tests installs it)"
    if not mirror():
        return "apt's sources name no mirror of Debian over http"
    return None


def mirror():
    """The one this machine installs from; None when apt's sources name none."""
    policy = subprocess.run(["apt-cache", "policy"], capture_output=True, text=True, check=True).stdout.split()
    return next((word for word in policy if word.startswith("http") and "security" not in word and word.rstrip("/").endswith("/debian")), None)


def archive(packages):
    """Path of a tar of its root, made when there is none of these packages."""
    wanted = sorted(set(packages))
    name = hashlib.sha256(" ".join([suite(), *wanted]).encode()).hexdigest()[:12]
    path = os.path.join(FOLDER, "debian-%s-%s.tar" % (suite(), name))
    if os.path.exists(path):
        return path
    os.makedirs(FOLDER, exist_ok=True)
    work = tempfile.mkdtemp(prefix="debian-", dir=FOLDER)
    try:
        root, cache = os.path.join(work, "root"), os.path.join(FOLDER, "debs")
        os.makedirs(cache, exist_ok=True)
        # In mounts of its own: what debootstrap mounts goes with it, however it ends.
        made = subprocess.run(["unshare", "--mount", "debootstrap", "--variant=minbase", "--cache-dir=" + cache, "--include=" + ",".join(wanted), suite(), root,
                               mirror()], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if made.returncode != 0:
            raise RuntimeError("debootstrap: " + "\n".join(made.stdout.splitlines()[-10:]) + made.stderr)
        for each in NOT_NEEDED:
            shutil.rmtree(os.path.join(root, each), ignore_errors=True)
        for each in ("var/log", "var/lib/apt/lists", "var/cache/apt/archives/partial"):
            os.makedirs(os.path.join(root, each), exist_ok=True)
        subprocess.run(["tar", "-C", root, "--numeric-owner", "-cf", os.path.join(work, "tar"), "."], check=True)
        os.rename(os.path.join(work, "tar"), path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path
