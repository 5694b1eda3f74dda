"""Build the wheel and the sdist, install the wheel without torch in a clean environment elsewhere, and use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    print("$", *command, flush=True)
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("SDKEEP_", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=keep | more, text=True, stdout=subprocess.PIPE, check=False
    )
    print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"failed with status {done.returncode}")
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sdkeep-wheel-") as folder:
        away = Path(folder)
        run(sys.executable, "-m", "build", "--outdir", away / "dist", ROOT, cwd=away)
        wheel = next((away / "dist").glob("*.whl"))
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.startswith("sdkeep/_migrations/versions/") for name in names), "the wheel lacks its migrations"
        venv.create(away / "env", with_pip=True)
        python = away / "env" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=away)
        sdkeep, home = away / "env" / "bin" / "sdkeep", str(away / "home")
        run(sdkeep, "--version", cwd=away, SDKEEP_HOME=home)
        run(python, "-c", "import importlib.util as u; assert u.find_spec('torch') is None", cwd=away)
        run(sdkeep, "db", "upgrade", cwd=away, SDKEEP_HOME=home)
        run(sdkeep, "ls", "--json", cwd=away, SDKEEP_HOME=home)
        run(sdkeep, "demo", cwd=away, SDKEEP_HOME=home)
    print("the wheel installs, migrates and runs without torch")


if __name__ == "__main__":
    main()
