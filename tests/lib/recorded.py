"""The docker CLI's cases of tests/differential against an endpoint under test, compared with the recorded answers."""
import os
import subprocess
import sys

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential")


def known_differences(cli):
    """Files of reviewed differences between this project and dockerd, for any CLI and for this one's major version."""
    version = subprocess.run([cli, "--version"], capture_output=True, text=True, check=True).stdout
    major = version.split("version ")[1].split(".")[0]
    names = ["differences-flotilla.json", "differences-flotilla-cli%s.json" % major]
    return [path for path in (os.path.join(CASES, name) for name in names) if os.path.exists(path)]


def compare(host, cli, netns, *options, known=()):
    """Runs the cases in that network namespace; `known`: names of further files of reviewed differences."""
    for path in [*known_differences(cli), *(os.path.join(CASES, name) for name in known)]:
        options += ("--known", path)
    return subprocess.run([sys.executable, os.path.join(CASES, "run.py"), "--host", host, "--cli", cli, "--netns", netns,
                           *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
