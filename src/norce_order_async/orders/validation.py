"""The result of validating an order: a report to look at, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from norce_order_async._json import UNREADABLE, is_list, is_mapping, mapping_or_empty, text_or_none
from norce_order_async.display import shown, shown_code, table_in_html
from norce_order_async.errors import ValidationFailedError
from norce_order_async.orders.checking import holds_no
from norce_order_async.orders.rendering import render_line, render_table
from norce_order_async.pipeline.answer import Answer
from norce_order_async.pipeline.operations import VALIDATE

if TYPE_CHECKING:
    from rich.console import RenderableType


_COLUMNS = ("Problem", "reported by")


@dataclass(frozen=True, slots=True)
class ValidationProblem:
    """A problem that validation found.

    Example::

        report = await order.validate()
        for problem in report.problems:
            print(problem.adapter_id, problem.code)
    """

    code: str | None
    """What failed, such as ``payment-missing``."""
    adapter_id: str | None
    """Who reported it; the service's own checks among them."""
    message: str | None
    """An explanation, when one was given. May hold personal data, so it is not in the repr."""

    def __repr__(self) -> str:
        return f"<{shown_code(self.adapter_id)}: {shown_code(self.code)}>"


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The result of validating an order. It is true if there are no problems.

    Example::

        report = await order.validate()
        for problem in report.problems:
            print(problem.adapter_id, problem.code)
    """

    order_id: str
    problems: tuple[ValidationProblem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything holds, as far as the service could find out in time."""
        return not self.problems

    def raise_for_errors(self) -> None:
        """Raise when something does not hold.

        Raises:
            ValidationFailedError: there are problems.
        """
        if self.problems:
            raise ValidationFailedError(self.order_id, [(each.adapter_id, each.code) for each in self.problems])

    def __bool__(self) -> bool:
        return self.ok

    def __rich__(self) -> RenderableType:
        # An explanation may name a customer, so it is not shown.
        if self.ok:
            return render_line(f"Order {shown(self.order_id)}: nothing is wrong")
        return render_table(_COLUMNS, self._rows(), f"Order {self.order_id}")

    def _repr_html_(self) -> str:
        rows = self._rows() or [("nothing is wrong", "")]
        return table_in_html(_COLUMNS, rows, f"Order {self.order_id}")

    def _rows(self) -> list[tuple[str, str]]:
        return [(shown_code(each.code), shown_code(each.adapter_id)) for each in self.problems]


def read_report(order_id: str, answer: Answer) -> ValidationReport:
    """The report in either published shape: a list of failures, or ``{"errors": [...]}``.

    Raises:
        UnavailableError: the answer is something else, which does not say that all is well.
    """
    data = answer.data
    entries = (data.get("errors", UNREADABLE) if data else None) if is_mapping(data) else data
    if entries is not None and not is_list(entries):
        raise holds_no("report", answer, VALIDATE, order_id)
    return ValidationReport(order_id, tuple(_problem(entry) for entry in entries or ()))


def _problem(entry: object) -> ValidationProblem:
    members = mapping_or_empty(entry)
    code, adapter_id, message = (text_or_none(members.get(name)) for name in ("code", "adapterId", "message"))
    return ValidationProblem(code, adapter_id, message)
