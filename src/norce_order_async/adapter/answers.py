"""The answers of handlers: approve or deny a change, or the problems of an order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from norce_order_async._json import write_json
from norce_order_async.errors import ConfigurationError, InvalidRequestError

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_LONGEST: Final = 1000
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Lets a change pass, with the edits of the draft; :func:`approve` makes one.

    Example::

        @adapter.hook("/cart")
        async def allow(call) -> Approve:
            return approve()
    """


@dataclass(frozen=True, slots=True)
class Deny:
    """Denies a change; :func:`deny` makes one.

    Example::

        @adapter.hook("/cart")
        async def guard(call) -> Deny | None:
            return None if call.proposed.cart.items else deny("empty", "the cart is empty")
    """

    code: str
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of an order: a code for programs, and a message for people.

    Example::

        found = problems(("out-of-stock", "none left")).found
        assert found == (Problem("out-of-stock", "none left"),)
    """

    code: str
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problems:
    """The problems of an order; :func:`problems` makes one. Without problems, the order is valid.

    Example::

        @adapter.validation()
        async def check(call) -> Problems:
            order = await call.order()
            return problems() if order.cart.items else problems(("empty", "the cart is empty"))
    """

    found: tuple[Problem, ...]


HookAnswer: TypeAlias = Approve | Deny | None
ValidationAnswer: TypeAlias = Problems | None

APPROVED: Final = Approve()


def approve() -> Approve:
    """Make the answer of a hook that lets the change pass, with the edits made to ``call.draft``.

    A handler may return None instead.
    """
    return APPROVED


def deny(code: str, message: str = "") -> Deny:
    """Make the answer of a hook that denies the change. Edits made to ``call.draft`` are dropped.

    Args:
        code: a word for programs, such as ``"out-of-stock"``: letters, digits, ``-``, ``_`` and ``.``, at most 80.
        message: the reason in words, at most 1,000 characters. It appears in the answer, the log and
            ``adapter.denials``, so it must not hold personal data.

    Raises:
        InvalidRequestError: the code or the message can't be sent.
    """
    return Deny(_code(code), _message(message))


def problems(*found: tuple[str, str] | str) -> Problems:
    """Make the answer of a validation that found problems; without arguments, the order is valid.

    Args:
        *found: codes, or pairs of a code and a message, as in :func:`deny`.

    Raises:
        InvalidRequestError: a code or a message can't be sent.
    """
    return Problems(tuple(_problem(one) for one in found))


def _problem(given: tuple[str, str] | str) -> Problem:
    if isinstance(given, str):
        return Problem(_code(given), "")
    if not isinstance(given, tuple) or len(given) != 2:  # pyright: ignore[reportUnnecessaryIsInstance,reportUnnecessaryComparison]
        raise InvalidRequestError('a problem must be a code, or a code and a message, as in ("stock", "none left")')
    return Problem(_code(given[0]), _message(given[1]))


def _code(code: str) -> str:
    if not isinstance(code, str) or not _CODE.fullmatch(code):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequestError(
            "a code must be letters, digits, '-', '_' and '.', at most 80 of them, such as 'out-of-stock'"
        )
    return code


def _message(message: str) -> str:
    if not isinstance(message, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequestError(f"a message must be a string, not {type(message).__name__}")
    if len(message) > _LONGEST:
        raise InvalidRequestError(f"a message must have at most {_LONGEST} characters, not {len(message)}")
    try:
        message.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError("a message holds half a surrogate pair, which can't be sent") from None
    return message


# --- as answers over HTTP ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer to the service, and the outcome of the call as a word."""

    status: int
    body: bytes = field(default=b"", repr=False)
    outcome: str = "refused"
    headers: tuple[tuple[bytes, bytes], ...] = ()


APPROVED_AS_IT_IS: Final = HttpAnswer(200, b"[]", "approved")
"""A hook's approval without edits: an empty list of operations."""
VALID: Final = HttpAnswer(200, b"", "valid")


def patch_answer(operations: list[dict[str, Any]]) -> HttpAnswer:
    """Make the approval of a hook: 200, with its edits."""
    return HttpAnswer(200, write_json(operations), "patched") if operations else APPROVED_AS_IT_IS


def denial_answer(adapter_id: str, denied: Deny, outcome: str = "denied") -> HttpAnswer:
    """Make the denial of a hook: 400, with the reason in the form of the service's own errors."""
    body = {"adapterId": adapter_id, "code": denied.code, "message": denied.message}
    return HttpAnswer(400, write_json(body), outcome)


def problems_answer(adapter_id: str, found: Problems, outcome: str = "invalid") -> HttpAnswer:
    """Make the answer of a validation: 200 without problems, otherwise 400 with their list."""
    if not found.found:
        return VALID
    body = [{"adapterId": adapter_id, "code": one.code, "message": one.message} for one in found.found]
    return HttpAnswer(400, write_json(body), outcome)


def error_answer(
    status: int, code: str, message: str, *headers: tuple[bytes, bytes], outcome: str = "refused"
) -> HttpAnswer:
    """Make the answer to a call that reaches no handler, or whose handler failed."""
    return HttpAnswer(status, write_json({"code": code, "message": message}), outcome, headers)


def hook_answer(given: object) -> Approve | Deny:
    """Check and return what a hook's handler returned; None approves.

    Raises:
        ConfigurationError: it is not an answer of a hook.
    """
    if given is None:
        return APPROVED
    if isinstance(given, Approve | Deny):
        return given
    raise ConfigurationError(f"a hook must return approve(), deny(...) or None, not {type(given).__name__}")


def validation_answer(given: object) -> Problems:
    """Check and return what a validation's handler returned; None has no problems.

    Raises:
        ConfigurationError: it is not an answer of a validation.
    """
    if given is None:
        return Problems(())
    if isinstance(given, Problems):
        return given
    raise ConfigurationError(f"a validation must return problems(...) or None, not {type(given).__name__}")
