"""Keeps tests from calling Norce by mistake: a call to one of its hosts fails the test.

The guard watches two places that every HTTP client goes through:

* Python's audit events for names that are resolved, and for addresses that are connected or sent to
  (``sys.addaudithook``). This replaces no function, so it also works for functions that were imported before, and does
  not interfere with other patches.
* The start of TLS, for clients that resolve names themselves, and for tunnels through a proxy. Two methods of
  ``ssl.SSLContext`` are replaced once per run. They are restored unless another patch has replaced them since.

The guard raises pytest's own failure, which an ``except Exception`` between the call and the test does not catch. If
the failure is lost all the same, as in a thread, :meth:`Guard.account` still reports it.

The guard catches mistakes; it is not a security barrier. It does not see programs that a test starts, clients with a
resolver and TLS of their own, or numeric addresses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import wraps
from typing import Any, cast

import pytest

DOMAIN = "norce.tech"
_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendmsg",
        "socket.sendto",
    }
)
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
"""Characters that IDNA treats as a dot."""


class Guard:
    """The guard of one run. It watches while a test runs, from ``install`` to ``remove``.

    Args:
        domain: The domain whose hosts tests must not call.
    """

    def __init__(self, domain: str = DOMAIN) -> None:
        self._domain = domain
        self._installed = False
        self._allowed: Sequence[str] | None = None
        self._refused: list[str] = []
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def install(self) -> None:
        """Start to watch; a second call does nothing."""
        if self._installed:
            return
        import ssl

        self._installed = True
        sys.addaudithook(self._audit)
        for name in ("wrap_socket", "wrap_bio"):
            before = getattr(ssl.SSLContext, name)
            watched = self._watched(before)
            setattr(ssl.SSLContext, name, watched)
            self._replaced.append((ssl.SSLContext, name, before, watched))

    def remove(self) -> None:
        """Stop watching. Python can't remove an audit hook, but it does nothing from now on."""
        self._allowed = None
        for place, name, before, watched in self._replaced:
            if getattr(place, name) is watched:
                setattr(place, name, before)
        self._replaced.clear()

    @contextmanager
    def watching(self, allowed: Sequence[str]) -> Generator[None]:
        """Watch inside, and allow these hosts; ``*`` stands for any characters."""
        self._allowed = [pattern.lower() for pattern in allowed]
        try:
            yield
        finally:
            self._allowed = None

    def account(self) -> str | None:
        """The reason for the test to fail if a call was refused since the last account, otherwise None."""
        refused, self._refused = self._refused, []
        return _complaint(refused[0]) if refused else None

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._allowed is not None and event in _EVENTS:
            __tracebackhide__ = True
            for argument in arguments:
                # An address is a pair of host and port.
                address = isinstance(argument, tuple)
                self._check(*cast("tuple[object, ...]", argument)[:1] if address else (argument,))

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            __tracebackhide__ = True
            self._check(*arguments, *named.values())
            return function(*arguments, **named)

        return watched

    def _check(self, *arguments: object) -> None:
        __tracebackhide__ = True
        if self._allowed is None:
            return
        for argument in arguments:
            host = self._real_host(argument)
            if host is not None and not any(fnmatchcase(host, pattern) for pattern in self._allowed):
                self._refused.append(host)
                pytest.fail(_complaint(host))

    def _real_host(self, argument: object) -> str | None:
        """The host if the argument is the name of a guarded host, otherwise None."""
        if isinstance(argument, bytes | bytearray):
            argument = bytes(argument).decode("latin-1")
        if not isinstance(argument, str) or "/" in argument:
            return None
        host = argument.translate(_DOTS).rstrip(".").lower()
        return host if host == self._domain or host.endswith(f".{self._domain}") else None


def _complaint(host: str) -> str:
    return (
        f"the test called {host}, a real Norce host. Use norce_client, or a client of norce_sandbox.base_url under "
        "norce_socket. If the call is meant: @pytest.mark.norce_real_hosts, or the fixture of that name."
    )
