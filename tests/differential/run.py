#!/usr/bin/env python3
"""Runs docker CLI cases against an endpoint and compares what they print.

    run.py --host unix:///run/x.sock                compare with the committed answers
    run.py --host ... --reference unix:///other     compare live with another daemon
    run.py --host ... --record                      write the answers (from the oracle only)

The command lines of a case are run by /bin/sh with `docker` being the chosen CLI. Answers are kept
per CLI major version where they differ from answers/default.
"""
import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from transcript import entry, load_case, split_entries

HERE = os.path.dirname(os.path.abspath(__file__))
ANSWERS = os.path.join(HERE, "answers")
MAKE_IMAGE = os.path.join(HERE, "..", "..", "scripts", "make-image")
STEP_TIMEOUT = 60
SHOW_KNOWN = bool(os.environ.get("FLO_SHOW_KNOWN"))


class Target:
    """A daemon as one docker CLI sees it."""

    def __init__(self, cli, host, prefix, environment, workdir):
        self.cli, self.host, self.prefix = cli, host, prefix
        self.workdir = workdir
        wrapper = os.path.join(workdir, "bin")
        os.makedirs(wrapper, exist_ok=True)
        os.makedirs(os.path.join(workdir, "config"), exist_ok=True)
        link = os.path.join(wrapper, "docker")
        if os.path.lexists(link):
            os.remove(link)
        os.symlink(os.path.realpath(cli), link)
        self.environment = {**os.environ, **environment, "PATH": wrapper + ":" + os.environ["PATH"],
                            "DOCKER_HOST": host, "DOCKER_CONFIG": os.path.join(workdir, "config"), "LC_ALL": "C.UTF-8",
                            "DOCKER_CLI_HINTS": "false", "W": workdir,
                            "B": workdir.replace("flodiff-", "flodiff-bind-")}  # a folder where the daemon is

    def run(self, command, timeout=STEP_TIMEOUT):
        try:
            return subprocess.run(self.prefix + ["/bin/sh", "-c", command], cwd=self.workdir, env=self.environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired as late:
            stdout = (late.stdout or b"").decode(errors="replace")
            return subprocess.CompletedProcess(command, 124, stdout, "no end within %d s\n" % timeout)

    def clean(self):
        """Removes everything the cases make, by the names they use."""
        self.run("ids=$(docker ps -aq --filter label=flodiff; docker ps -aq --filter name=fd-); [ -z \"$ids\" ] || docker rm -fv $ids;"
                 "vols=$(docker volume ls -q --filter name=fd-); [ -z \"$vols\" ] || docker volume rm $vols;"
                 "for i in $(docker images --format '{{.Repository}}:{{.Tag}}' --filter reference='flodiff/*'); do"
                 " [ $i = flodiff/base:1 ] || docker rmi -f $i; done")


def cli_major(cli):
    text = subprocess.run([cli, "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"(\d+)\.", text).group(1))


def answers_major(major):
    """Answers are recorded for these; other versions print what the nearest one does."""
    return 20 if major < 23 else 28


def run_case(target, path):
    target.clean()
    begun, text = time.monotonic(), ""
    for step in load_case(path):
        result = target.run(step.command)
        if step.recorded:
            text += entry(step, result)
        elif result.returncode != 0:
            text += "preparation failed: %s\n%s[exit %d]\n" % (step.command, result.stderr, result.returncode)
    target.clean()
    return text, time.monotonic() - begun


def answer_path(name, major):
    special = os.path.join(ANSWERS, "cli-%d" % major, name + ".txt")
    return special if os.path.exists(special) else os.path.join(ANSWERS, "default", name + ".txt")


def record(name, major, text):
    """28 is the default; another major keeps a file only where it differs."""
    default = os.path.join(ANSWERS, "default", name + ".txt")
    special = os.path.join(ANSWERS, "cli-%d" % major, name + ".txt")
    if major == 28:
        special = default
    elif os.path.exists(default) and open(default, encoding="utf-8").read() == text:
        if os.path.exists(special):
            os.remove(special)
        return
    os.makedirs(os.path.dirname(special), exist_ok=True)
    with open(special, "w", encoding="utf-8") as out:
        out.write(text)


def load_known(paths):
    """Reviewed differences of all files: {case: {command: reason}}."""
    known = {}
    for path in paths:
        with open(path, encoding="utf-8") as text:
            for case, commands in json.load(text).items():
                known.setdefault(case, {}).update(commands)
    return known


def compare(name, expected, actual, known):
    """Prints the differing steps; how many there are."""
    expected_steps, actual_steps = split_entries(expected), split_entries(actual)
    failures = 0
    if [command for command, _ in expected_steps] != [command for command, _ in actual_steps]:
        print("DIFFERENT %s: a preparation failed, or the case's commands changed since its answers were recorded" % name)
        sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), actual.splitlines(True), "expected", "got", n=1))
        return 1
    for (command, want), (_, got) in zip(expected_steps, actual_steps):
        if want == got:
            continue
        if command in known.get(name, {}):
            print("known     %s: %s (%s)" % (name, command, known[name][command]))
            if SHOW_KNOWN:
                sys.stdout.writelines(difflib.unified_diff(want.splitlines(True), got.splitlines(True), "expected", "got", n=0))
            continue
        failures += 1
        print("DIFFERENT %s" % name)
        sys.stdout.writelines(difflib.unified_diff(want.splitlines(True), got.splitlines(True), "expected", "got", n=50))
    return failures


def prepare_image(target):
    archive = os.path.join(target.workdir, "base.tar")
    subprocess.run([sys.executable, MAKE_IMAGE, "--tag", "flodiff/base:1", "--output", archive], check=True)
    loaded = target.run("docker load -i base.tar")
    if loaded.returncode != 0:
        sys.exit("cannot load the test image into %s: %s" % (target.host, loaded.stderr))


def chosen_cases(names):
    folder = os.path.join(HERE, "cases")
    known = sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".case"))
    wanted = names or known
    for name in wanted:
        if name not in known:
            sys.exit("no case named " + name)
    return [(name, os.path.join(folder, name + ".case")) for name in wanted]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True)
    parser.add_argument("--cli", default="docker", help="docker CLI to use")
    parser.add_argument("--reference", help="compare live with this endpoint")
    parser.add_argument("--known", action="append", default=[], help="JSON file of reviewed differences (repeatable)")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--netns", help="run the CLI in this network namespace")
    parser.add_argument("--tls", help="folder with ca.pem, cert.pem and key.pem: mutual TLS")
    parser.add_argument("--hide", default="", help="pattern of text that is left out of what the target prints")
    parser.add_argument("--keep", help="write transcripts of this run into this folder")
    parser.add_argument("cases", nargs="*")
    return parser.parse_args()


def run_both(pool, target, reference, path):
    """What the case prints on each of two daemons, run side by side, and the seconds of the first."""
    expected = pool.submit(run_case, reference, path)
    text, seconds = run_case(target, path)
    return expected.result()[0], text, seconds


def keep(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as out:
        out.write(text)


def run_cases(options, target, reference, major):
    """Runs and compares (or records) the chosen cases; how many steps differ."""
    known = load_known(options.known)
    failures = 0
    with ThreadPoolExecutor(1) as pool:
        for name, path in chosen_cases(options.cases):
            if reference:
                expected, text, seconds = run_both(pool, target, reference, path)
            else:
                text, seconds = run_case(target, path)
            if options.hide:
                text = re.sub(options.hide, "", text)
            if options.keep:
                keep(options.keep, name, text)
            if options.record:
                record(name, major, text)
                continue
            if not reference:
                with open(answer_path(name, major), encoding="utf-8") as recorded:
                    expected = recorded.read()
            differing = compare(name, expected, text, known)
            failures += differing
            if not differing:
                print("same      %-10s %5.1f s" % (name, seconds))
    return failures


def main():
    options = parse_arguments()
    cli = shutil.which(options.cli)
    major = answers_major(cli_major(cli))
    prefix = ["nsenter", "--net=/run/netns/" + options.netns] if options.netns else []
    tls = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": options.tls} if options.tls else {}
    with tempfile.TemporaryDirectory(prefix="flodiff-") as work, tempfile.TemporaryDirectory(prefix="flodiff-") as work2:
        target = Target(cli, options.host, prefix, tls, work)
        targets = [target]
        if options.reference:
            targets.append(Target(cli, options.reference, [], {}, work2))
        for one in targets:
            prepare_image(one)
        failures = run_cases(options, target, targets[1] if options.reference else None, major)
        for one in targets:
            one.run("docker rmi flodiff/base:1")
    print("%d differing step(s) with CLI %s over %s" % (failures, cli, options.host.split(":")[0] + (" with TLS" if options.tls else "")))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
