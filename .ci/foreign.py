"""Compiling for targets that are not this machine's own, and with a standard library compiled anew: what `targets`, `headers`,
`architectures`, `assembly` and `sanitizers` share.

It takes a compiler whose own library comes as source. On a Debian machine Debian's is installed beside the one that is there.
"""

import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ["rustc-web", "cargo-web", "rust-web-src"]
CARGO = "/usr/bin/cargo"

# A C compiler with the headers and libraries of many systems, as a Python package.
ZIG_ENVIRONMENT = os.path.join(ROOT, "target", "headers", "python")
ZIG = [os.path.join(ZIG_ENVIRONMENT, "bin", "python"), "-m", "ziglang"]


def is_installed(package):
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def install(others=()):
    """Installs the compiler and other Debian packages, where they are not there yet."""
    compiler = os.path.exists(CARGO) and shutil.which("rustc", path="/usr/bin")
    packages = [] if compiler else PACKAGES
    packages = [*packages, *(package for package in others if not is_installed(package))]
    if packages:
        subprocess.run(["apt-get", "update"], check=True)
        # Some C compilers are in each other's way: those that are there stay, and this fails.
        install = ["apt-get", "install", "-y", "--no-remove", "--no-install-recommends"]
        subprocess.run([*install, *packages], check=True)


def install_zig():
    if importlib.util.find_spec("ensurepip") is None:
        install(["python3-venv"])
    if subprocess.run([*ZIG, "version"], capture_output=True).returncode if os.path.exists(ZIG[0]) else True:
        subprocess.run([sys.executable, "-m", "venv", ZIG_ENVIRONMENT], check=True)
        subprocess.run([ZIG[0], "-m", "pip", "install", "--quiet", "ziglang==0.17.1"], check=True)


def environment():
    """The environment in which Debian's compiler builds its own library too."""
    # It alone is in this path, so that cargo does not meet another one's tools.
    return {**os.environ, "PATH": "/usr/bin:/bin", "RUSTC_BOOTSTRAP": "1"}


def check(package, target, library, directory, features=()):
    """Whether a package's library compiles, the layout that ancillary's build script chose, and what went wrong."""
    command = [CARGO, "check", "--lib", f"-Zbuild-std={library}", "--target", target, "--target-dir", directory]
    command += ["--message-format=json", *features]
    warnings = {**environment(), "RUSTFLAGS": "-Dwarnings"}
    done = subprocess.run(command, cwd=package, env=warnings, capture_output=True, text=True)
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
