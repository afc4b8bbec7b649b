"""Runs the command inside this process, which is a quarter of a second faster than :func:`.terminal.piped`, for tests
that need no process, terminal or signal of their own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from norce_order_async.cli.app import NAME, run

from .terminal import Ran, environment


def inside(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run it with its output in pipes and empty input."""
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as changes:
        changes.enter_context(patch.dict(os.environ, environment(env), clear=True))
        changes.enter_context(patch.object(sys, "argv", [NAME, *arguments]))
        changes.enter_context(patch.object(sys, "stdin", changes.enter_context(Path(os.devnull).open())))
        changes.enter_context(redirect_stdout(out))
        changes.enter_context(redirect_stderr(err))
        code = run(arguments)
    return Ran(code, out.getvalue(), err.getvalue())
