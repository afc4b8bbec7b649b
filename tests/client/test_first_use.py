"""Objects of which a process has one, when several threads ask for the first one at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import sys
    from threading import Thread

    from norce_order_async.auth import oauth
    from norce_order_async.pipeline import home

    module, name, ask = {
        "the lock of all clients": (home, "_Forks", home.forks),
        "the rate of a token service": (oauth, "RequestRate", lambda: oauth.process_rate("https://identity.example")),
    }[sys.argv[1]]
    make = getattr(module, name)
    given = []

    def slow_make(*arguments):
        # Another thread asks while the first one is still making it.
        setattr(module, name, make)
        other = Thread(target=lambda: given.append(ask()))
        other.start()
        other.join()
        return make(*arguments)

    setattr(module, name, slow_make)
    given.append(ask())
    given.append(ask())
    print(len({id(one) for one in given}), len(given))
"""


@pytest.mark.parametrize("what", ["the lock of all clients", "the rate of a token service"])
def test_threads_that_ask_at_the_same_time_get_the_same_object(what: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), what]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert result.stdout.split() == ["1", "3"]
