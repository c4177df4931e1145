"""Python packages that are not in the standard library, each set in an environment of its own."""

import importlib.util
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_with(name, packages):
    """Goes on in an environment with these packages, which is made where it is not there yet."""
    directory = os.path.join(ROOT, "target", name, "python")
    python = os.path.join(directory, "bin", "python")
    if sys.prefix == directory:
        return
    done = os.path.join(directory, "installed")
    if not os.path.exists(done) or open(done).read().split() != packages:
        if importlib.util.find_spec("ensurepip") is None:
            subprocess.run(["apt-get", "update"], check=True)
            subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"], check=True)
        print(f"installing {' '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        with open(done, "w") as file:
            file.write(" ".join(packages))
    os.execv(python, [python, *sys.argv])
