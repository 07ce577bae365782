"""Set mailsetup up from a checkout; needs nothing but Python 3.11 or later.

python3 bootstrap.py                  install into .venv and look up a first address
python3 bootstrap.py test [ARG]...    install for development and check everything; ARGs go to pytest,
                                      and with any of them the coverage gate is left out

On Debian and its relatives, as root, missing system packages are installed too.
This file must parse on Python 3.5, to be able to say that it is too old: no f-strings, no walrus, no match.
"""
# ruff: noqa: S603 -- it starts programs of its own choosing, that is what it is for

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 -- this is where an older Python is turned away
    sys.exit(
        "bootstrap: error: needs Python 3.11 or later (https://www.python.org/downloads/), this is "
        + sys.version.split()[0]
        + "; start it with the newer one, for example: "
        + ("py -3.11" if os.name == "nt" else "python3.11")
        + " bootstrap.py"
    )

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(SCRIPTS / ("python.exe" if os.name == "nt" else "python"))
SERVER_PACKAGES = ROOT / "tests" / "lab" / "packages.txt"
POLICY = Path("/usr/sbin/policy-rc.d")

# The layers without I/O, and how many percent of their lines and branches the tests have to reach together.
PURE = (
    "address.py",
    "answers.py",
    "auditing.py",
    "bundling.py",
    "client_errors.py",
    "clientconfig.py",
    "clients.py",
    "compiler.py",
    "conclusion.py",
    "database.py",
    "diagnosis.py",
    "explaining.py",
    "findings.py",
    "guide.py",
    "i18n.py",
    "index.py",
    "jsonform.py",
    "layout.py",
    "message.py",
    "model.py",
    "pasted.py",
    "portal.py",
    "pox.py",
    "preferences.py",
    "publishing.py",
    "questions.py",
    "ranking.py",
    "reasons.py",
    "refusal_compiler.py",
    "reports.py",
    "roles.py",
    "scripts.py",
    "stencil.py",
    "text.py",
    "typos.py",
    "webserver.py",
    "xmlfile.py",
    "yamlfile.py",
    "zonefile.py",
    "exporters/*",
    "sources/*",
    "wire/*",
)
MINIMUM_PERCENT = 99
# What is used of POSIX alone is an error there. Results for another platform would overwrite the others.
FOR_WINDOWS = ("--platform=win32", "--cache-dir=.mypy_cache/windows", "mailsetup")


class BootstrapError(Exception):
    """Something needed did not work; the text is for people."""


def say(text: str) -> None:
    """Write a line to the user."""
    sys.stderr.write("bootstrap: " + text + "\n")
    sys.stderr.flush()


def run(*command: str, silent: bool = False) -> bool:
    """Run a program in the checkout and tell whether it succeeded; a silent one is only heard if it did not."""
    finished = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE if silent else None,
        stderr=subprocess.STDOUT if silent else None,
    )
    if silent and finished.returncode != 0:
        sys.stderr.write(finished.stdout.decode("utf-8", "replace"))
    return finished.returncode == 0


def make_environment() -> None:
    """Create .venv, or leave a working one as it is."""
    if Path(PYTHON).exists():
        probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([PYTHON, "-c", probe], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            return
    # Debian keeps this part of the standard library in a package of its own.
    if importlib.util.find_spec("ensurepip") is None and not install_packages(["python3-venv"]):
        raise BootstrapError("this Python cannot make virtual environments; on Debian: apt install python3-venv")
    say("creating .venv")
    if not run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)):
        raise BootstrapError("cannot create " + str(ENVIRONMENT))


def install(requirement: str, *options: str) -> None:
    """Install the project into .venv."""
    make_environment()
    say("installing " + requirement)
    if not run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, requirement):
        raise BootstrapError("pip could not install the project")


def install_packages(packages: list[str]) -> bool:
    """Install Debian packages unless they are there, and tell whether they are there now."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        return False
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return True
    if os.geteuid() != 0:
        return False
    say("installing Debian packages: " + " ".join(missing))
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    # Debian asks this program before it starts a service: 101 is "no". Ours start their own servers.
    forbid = not POLICY.exists()
    if forbid:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        # Package lists may be absent or too old. If no new ones are to be had, the old may still do.
        run("apt-get", "update", "-qq", silent=True)
        return run("apt-get", "install", "--yes", "--no-install-recommends", "-qq", *missing, silent=True)
    finally:
        if forbid:
            POLICY.unlink()


def is_installed(package: str) -> bool:
    """Ask dpkg whether a package is installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    finished = subprocess.run(query, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return finished.stdout == b"installed"


def install_servers() -> None:
    """Install the servers that tests run, or say what the tests will do without them."""
    lines = [line.strip() for line in SERVER_PACKAGES.read_text("utf-8").splitlines()]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        say("note: tests with real mail, DNS and web servers need Linux and root, and are skipped")
    elif not install_packages([line for line in lines if line and not line.startswith("#")]):
        say("note: the packages in tests/lab/packages.txt cannot be installed; tests that need them do not run")
    elif not run(PYTHON, str(ROOT / "tests" / "lab" / "unpacking.py"), silent=True):
        say("note: the packages in tests/lab/unpacked.txt cannot be fetched; tests that need them do not run")


def demonstrate() -> None:
    """Install the project and look up a first address."""
    install(str(ROOT))
    program = str(SCRIPTS / "mailsetup")
    if not run(program, "lookup", "user@qq.com"):
        raise BootstrapError("the installed program does not work")
    # PowerShell takes what stands between quotation marks for a text, not for a program.
    say("installed; call it as: " + ('"' + program + '"' if " " in program else program) + " lookup you@example.org")


def run_tests() -> bool:
    """Run all tests: first those about limits of time and memory, with nothing else running; then two halves at once.

    The halves, the folders below tests and the files in it, mostly wait, for servers and for other people's programs.
    They are shown one after the other. Each proves what its own documents claim.
    """
    folders = ["tests/exporters", "tests/sources", "tests/wire"]
    files = ["--ignore=" + folder for folder in folders]
    say("testing limits of time and memory")
    in_time = run_part("limits", *files, "-m", "alone")
    say("testing " + ", ".join(folders) + "; the other tests run meanwhile and are shown after them")
    rest = [*files, "-m", "not alone"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "files.txt"
        with log.open("wb") as output:
            others = subprocess.Popen(pytest("files", *rest), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            passed = run(*pytest("folders", *folders))
            with log.open("rb") as output:
                while True:
                    ended = others.poll() is not None
                    text = output.read()
                    sys.stdout.buffer.write(text)
                    sys.stdout.flush()
                    if ended and not text:
                        break
                    time.sleep(0.2)
        finally:
            others.kill()
            others.wait()
    passed = passed or run_again("folders", *folders)
    passed = (others.returncode == 0 or run_again("files", *rest)) and passed
    return in_time and passed


def run_part(name: str, *arguments: str) -> bool:
    """Run a part of the tests, and those that fail once more."""
    return run(*pytest(name, *arguments)) or run_again(name, *arguments)


def run_again(name: str, *arguments: str) -> bool:
    """Run what failed of a part once more: other programs may have held it up. A fault fails again."""
    say("what failed above runs once more, with nothing else running")
    return run(*pytest(name, *arguments), "--last-failed", "--last-failed-no-failures=none")


def pytest(name: str, *arguments: str) -> list[str]:
    """The command for a part of the tests, which remembers its own failures."""
    command = [PYTHON, "-m", "coverage", "run", "--parallel-mode", "-m", "pytest"]
    return [*command, "-o", "cache_dir=.pytest_cache/" + name, *arguments]


def test(arguments: list[str]) -> None:
    """Install for development, then check data, style, types, behaviour and coverage."""
    install(str(ROOT) + "[test]", "--editable")
    install_servers()
    checks = {
        "data/compile.py": run(PYTHON, str(ROOT / "data" / "compile.py")),
        "ruff check": run(PYTHON, "-m", "ruff", "check", "--quiet"),
        "ruff format": run(PYTHON, "-m", "ruff", "format", "--check", "--quiet"),
        "mypy": run(PYTHON, "-m", "mypy", "--no-error-summary"),
        "mypy for Windows": run(PYTHON, "-m", "mypy", "--no-error-summary", *FOR_WINDOWS),
        "pytest": run(PYTHON, "-m", "pytest", *arguments) if arguments else run_tests(),
    }
    if not arguments:
        run(PYTHON, "-m", "coverage", "combine", "--quiet")
        included = ",".join("mailsetup/" + name for name in PURE)
        gate = ("--include=" + included, "--fail-under=" + str(MINIMUM_PERCENT), "--show-missing", "--skip-covered")
        checks["coverage of the layers without I/O"] = run(PYTHON, "-m", "coverage", "report", *gate, silent=True)
    failed = [name for name, passed in checks.items() if not passed]
    if failed:
        raise BootstrapError("not passed: " + ", ".join(failed))


def main(arguments: list[str]) -> int:
    """Do what the command line asks for and return the exit code."""
    try:
        if not arguments:
            demonstrate()
        elif arguments[0] == "test":
            test(arguments[1:])
        elif arguments in (["-h"], ["--help"]):
            sys.stdout.write(__doc__)
        else:
            say("error: unknown argument " + arguments[0] + ", see --help")
            return 2
    except BootstrapError as failure:
        say("error: " + str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
