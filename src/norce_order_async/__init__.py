"""An async client for the Order Management API of Norce Checkout.

The names that most programs need are here. Each is imported when it is first used. The models of the API are in
:mod:`norce_order_async.models`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use

if TYPE_CHECKING:
    from norce_order_async._version import __version__
    from norce_order_async.auth.oauth import ClientCredentials
    from norce_order_async.auth.providers import CallableToken, StaticToken, TokenProvider
    from norce_order_async.bulk.actions.base import Action
    from norce_order_async.bulk.job import Job
    from norce_order_async.bulk.journal.errors import (
        JournalError,
        JournalFinishedError,
        JournalLockedError,
        JournalMismatchError,
    )
    from norce_order_async.bulk.load.limiters import Adaptive, Fixed
    from norce_order_async.bulk.outcome import ItemOutcome, Summary
    from norce_order_async.client import NorceOrderClient
    from norce_order_async.context import OMIT
    from norce_order_async.engines.base import WireRequest, WireResponse
    from norce_order_async.environments import ENVIRONMENTS, Environment
    from norce_order_async.errors import (
        Attempt,
        BadRequestError,
        CallError,
        ChangeRefusedError,
        ConfigurationError,
        ConflictError,
        DuplicateOrderError,
        ForbiddenError,
        InvalidRequestError,
        NorceError,
        NotFoundError,
        NotLoadedError,
        NotSentError,
        OutcomeUnknownError,
        PendingError,
        RefusedError,
        RejectedError,
        StatusUnreachableError,
        TokenError,
        TransitionRefusedError,
        TransitionSupersededError,
        UnauthorizedError,
        UnavailableError,
        ValidationFailedError,
        WaitTimeoutError,
    )
    from norce_order_async.orders.collection import OrderCollection
    from norce_order_async.orders.creation import NewOrder
    from norce_order_async.orders.ensuring import Ensured
    from norce_order_async.orders.filter import OrderFilter
    from norce_order_async.orders.lifecycle import EDGES, STATUSES
    from norce_order_async.orders.order import Order
    from norce_order_async.orders.pages import OrderPage
    from norce_order_async.orders.transition import StatusPeriod, Transitioned
    from norce_order_async.orders.validation import ValidationProblem, ValidationReport
    from norce_order_async.pipeline.answer import Answer
    from norce_order_async.pipeline.events import CallEvent, Observer
    from norce_order_async.pipeline.middleware import (
        AttemptInfo,
        AttemptMiddleware,
        AttemptNext,
        CallInfo,
        CallMiddleware,
        CallNext,
    )
    from norce_order_async.pipeline.response import Drift, DriftRecord
    from norce_order_async.pipeline.session import capture_answers
    from norce_order_async.pipeline.settings import CallOptions, Settings
    from norce_order_async.scope import Scope

_HOMES = {
    "_version": ("__version__",),
    "auth.providers": ("CallableToken", "StaticToken", "TokenProvider"),
    "bulk.actions.base": ("Action",),
    "bulk.journal.errors": ("JournalError", "JournalFinishedError", "JournalLockedError", "JournalMismatchError"),
    "bulk.job": ("Job",),
    "bulk.load.limiters": ("Adaptive", "Fixed"),
    "bulk.outcome": ("ItemOutcome", "Summary"),
    "client": ("NorceOrderClient",),
    "context": ("OMIT",),
    "engines.base": ("WireRequest", "WireResponse"),
    "environments": ("ENVIRONMENTS", "Environment"),
    "errors": (
        "Attempt",
        "BadRequestError",
        "CallError",
        "ChangeRefusedError",
        "ConfigurationError",
        "ConflictError",
        "DuplicateOrderError",
        "ForbiddenError",
        "InvalidRequestError",
        "NorceError",
        "NotFoundError",
        "NotLoadedError",
        "NotSentError",
        "OutcomeUnknownError",
        "PendingError",
        "RefusedError",
        "RejectedError",
        "StatusUnreachableError",
        "TokenError",
        "TransitionRefusedError",
        "TransitionSupersededError",
        "UnauthorizedError",
        "UnavailableError",
        "ValidationFailedError",
        "WaitTimeoutError",
    ),
    "auth.oauth": ("ClientCredentials",),
    "pipeline.session": ("capture_answers",),
    "orders.collection": ("OrderCollection",),
    "orders.creation": ("NewOrder",),
    "orders.ensuring": ("Ensured",),
    "orders.filter": ("OrderFilter",),
    "orders.lifecycle": ("EDGES", "STATUSES"),
    "orders.order": ("Order",),
    "orders.pages": ("OrderPage",),
    "orders.transition": ("StatusPeriod", "Transitioned"),
    "orders.validation": ("ValidationProblem", "ValidationReport"),
    "pipeline.answer": ("Answer",),
    "pipeline.response": ("Drift", "DriftRecord"),
    "pipeline.middleware": (
        "AttemptInfo",
        "AttemptMiddleware",
        "AttemptNext",
        "CallInfo",
        "CallMiddleware",
        "CallNext",
    ),
    "pipeline.events": ("CallEvent", "Observer"),
    "pipeline.settings": ("CallOptions", "Settings"),
    "scope": ("Scope",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EDGES",
    "ENVIRONMENTS",
    "OMIT",
    "STATUSES",
    "Action",
    "Adaptive",
    "Answer",
    "Attempt",
    "AttemptInfo",
    "AttemptMiddleware",
    "AttemptNext",
    "BadRequestError",
    "CallError",
    "CallEvent",
    "CallInfo",
    "CallMiddleware",
    "CallNext",
    "CallOptions",
    "CallableToken",
    "ChangeRefusedError",
    "ClientCredentials",
    "ConfigurationError",
    "ConflictError",
    "Drift",
    "DriftRecord",
    "DuplicateOrderError",
    "Ensured",
    "Environment",
    "Fixed",
    "ForbiddenError",
    "InvalidRequestError",
    "ItemOutcome",
    "Job",
    "JournalError",
    "JournalFinishedError",
    "JournalLockedError",
    "JournalMismatchError",
    "NewOrder",
    "NorceError",
    "NorceOrderClient",
    "NotFoundError",
    "NotLoadedError",
    "NotSentError",
    "Observer",
    "Order",
    "OrderCollection",
    "OrderFilter",
    "OrderPage",
    "OutcomeUnknownError",
    "PendingError",
    "RefusedError",
    "RejectedError",
    "Scope",
    "Settings",
    "StaticToken",
    "StatusPeriod",
    "StatusUnreachableError",
    "Summary",
    "TokenError",
    "TokenProvider",
    "TransitionRefusedError",
    "TransitionSupersededError",
    "Transitioned",
    "UnauthorizedError",
    "UnavailableError",
    "ValidationFailedError",
    "ValidationProblem",
    "ValidationReport",
    "WaitTimeoutError",
    "WireRequest",
    "WireResponse",
    "__version__",
    "capture_answers",
]

__getattr__, __dir__ = on_first_use(__name__, _HOME_OF)
