"""The raw answers behind any method, for callers who need status, headers or bytes beside what is parsed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from norce_order_async.pipeline.session import CAPTURED, Answers


@contextmanager
def capture_answers() -> Generator[Answers]:
    """Collect the answers of every call made inside, in this task and in those it starts there.

    ::

        with capture_answers() as answers:
            report = await order.validate()
        answers[-1].status, answers[-1].headers, answers[-1].body, answers[-1].attempts
    """
    answers: Answers = []
    token = CAPTURED.set(answers)
    try:
        yield answers
    finally:
        CAPTURED.reset(token)
