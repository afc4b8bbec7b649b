"""A program that does not use OpenTelemetry loads nothing of it."""

from __future__ import annotations

import subprocess
import sys


def run(program: str) -> str:
    """Return the output of this program in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_client_does_not_load_it() -> None:
    program = """
import sys
import norce_order_async
norce = norce_order_async.NorceOrderClient(
    base_url="http://127.0.0.1:1", merchant="acme", channel="se", token="t"
)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert run(program) == "[]"


def test_without_it_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
try:
    import norce_order_async.telemetry
except ImportError as error:
    print(error)
"""
    assert run(program) == "OpenTelemetry needs the extra 'otel': install norce-order-async with [otel]"
