"""Type-checks for targets that this machine cannot run: what `targets` and `headers` share.

It takes a compiler whose own library comes as source. On a Debian machine Debian's is installed beside the one that is there.
"""

import json
import os
import queue
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ["rustc-web", "cargo-web", "rust-web-src"]
CARGO = "/usr/bin/cargo"


def install():
    if not os.path.exists(CARGO) or not shutil.which("rustc", path="/usr/bin"):
        subprocess.run(["apt-get", "update"], check=True)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES], check=True)


def check(package, target, library, directory, features=()):
    """Whether a package's library compiles, the layout that ancillary's build script chose, and what went wrong."""
    command = [CARGO, "check", "--lib", f"-Zbuild-std={library}", "--target", target, "--target-dir", directory]
    command += ["--message-format=json", *features]
    # Debian's compiler alone is in this path, so that cargo does not meet another one's.
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": "-Dwarnings"}
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)
    layout, errors = "?", done.stderr
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "build-script-executed" and "ancillary" in message["package_id"]:
            layout = next((cfg.split('"')[1] for cfg in message["cfgs"] if cfg.startswith("native_layout")), "none")
        if message.get("reason") == "compiler-message" and message["message"]["level"] == "error":
            errors += message["message"]["rendered"]
    return done.returncode == 0, layout, errors


def on_all_cores(function, items):
    """The results of `function(item, directory)` in order, as they come; no two at once are given the same directory."""
    workers = os.cpu_count() or 1
    directories = queue.Queue()
    for worker in range(workers):
        directories.put(os.path.join(ROOT, "target", "foreign", str(worker)))

    def run(item):
        directory = directories.get()
        try:
            return function(item, directory)
        finally:
            directories.put(directory)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run, items)
