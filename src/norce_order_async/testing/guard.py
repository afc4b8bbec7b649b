"""Keeps tests from calling Norce: a call to one of its hosts fails the test that made it.

Looked at is where every HTTP client comes by, whichever it is: the resolving of names, and TLS, which a client with a
resolver of its own and a proxy's tunnel can't do without. Mocks come by neither and stay as they are. What is raised
is pytest's own failure, which no ``except Exception`` between the call and the test swallows. Where it is lost all the
same, as in a thread, :meth:`Guard.account` still tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import wraps
from typing import Any

import pytest

_DOMAIN = "norce.tech"


class Guard:
    """Watches while it is entered.

    Args:
        allowed: Hosts that may be called; ``*`` stands for any characters.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = [pattern.lower() for pattern in allowed]
        self._patches = pytest.MonkeyPatch()
        self._refused: list[str] = []

    def __enter__(self) -> None:
        import socket
        import ssl

        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            self._patches.setattr(socket, name, self._watched(getattr(socket, name)))
        for name in ("wrap_socket", "wrap_bio"):
            self._patches.setattr(ssl.SSLContext, name, self._watched(getattr(ssl.SSLContext, name)))

    def __exit__(self, *_: object) -> None:
        self._patches.undo()

    def account(self) -> str | None:
        """Why the test is to fail, if a call was refused since the last account; None if none was."""
        refused, self._refused = self._refused, []
        return _complaint(refused[0]) if refused else None

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            for argument in (*arguments, *named.values()):
                host = _real_host(argument)
                if host is not None and not any(fnmatchcase(host, pattern) for pattern in self._allowed):
                    self._refused.append(host)
                    pytest.fail(_complaint(host))
            return function(*arguments, **named)

        return watched


def _complaint(host: str) -> str:
    return (
        f"the test called {host}, a real Norce host. Use norce_client, or a client of norce_sandbox.base_url under "
        "norce_socket. If the call is meant: @pytest.mark.norce_real_hosts, or the fixture of that name."
    )


def _real_host(argument: object) -> str | None:
    """The host, if an argument is the name of one of Norce's."""
    if isinstance(argument, bytes | bytearray):
        argument = bytes(argument).decode("latin-1")
    if not isinstance(argument, str):
        return None
    host = argument.rstrip(".").lower()
    return host if host == _DOMAIN or host.endswith(f".{_DOMAIN}") else None
