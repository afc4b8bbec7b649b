"""The result of validating an order: a report, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from norce_order_async._json import UNREADABLE, is_list, is_mapping, mapping_or_empty, text_or_none
from norce_order_async.display import cell, render_table, shown, shown_code, table_in_html
from norce_order_async.errors import ValidationFailedError
from norce_order_async.orders.checking import wrong_answer
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
    """The adapter that reported it. The service's own checks have an id, too."""
    message: str | None
    """An explanation, if there is one. It may hold personal data, so the repr does not show it."""

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
        """Whether the service found no problems in the time that it had."""
        return not self.problems

    def raise_for_errors(self) -> None:
        """Raise if there are problems.

        Raises:
            ValidationFailedError: there are problems.
        """
        if self.problems:
            raise ValidationFailedError(self.order_id, [(each.adapter_id, each.code) for each in self.problems])

    def __bool__(self) -> bool:
        return self.ok

    def __rich__(self) -> RenderableType:
        # The explanations are not shown, because they may name a customer.
        if self.ok:
            return cell(f"Order {shown(self.order_id)}: nothing is wrong", longest=200)
        return render_table(_COLUMNS, self._rows(), f"Order {self.order_id}")

    def _repr_html_(self) -> str:
        rows = self._rows() or [("nothing is wrong", "")]
        return table_in_html(_COLUMNS, rows, f"Order {self.order_id}")

    def _rows(self) -> list[tuple[str, str]]:
        return [(shown_code(each.code), shown_code(each.adapter_id)) for each in self.problems]


def read_report(order_id: str, answer: Answer) -> ValidationReport:
    """Read the report in either published form: a list of failures, or ``{"errors": [...]}``.

    Raises:
        UnavailableError: the answer has neither form. It must not count as a report without problems.
    """
    data = answer.data
    entries = (data.get("errors", UNREADABLE) if data else None) if is_mapping(data) else data
    if entries is not None and not is_list(entries):
        raise wrong_answer("report", answer, VALIDATE, order_id)
    return ValidationReport(order_id, tuple(_problem(entry) for entry in entries or ()))


def _problem(entry: object) -> ValidationProblem:
    members = mapping_or_empty(entry)
    code, adapter_id, message = (text_or_none(members.get(name)) for name in ("code", "adapterId", "message"))
    return ValidationProblem(code, adapter_id, message)
