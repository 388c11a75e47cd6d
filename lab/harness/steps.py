"""Steps of a molecule scenario: test modules that break, change or measure the cluster and then check it."""

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import testinfra  # type: ignore[import-untyped]

from lab.api import Lab
from lab.harness import scenario


def hosts(names: Iterable[str]) -> dict[str, Any]:
    """Return machines of the lab for testinfra."""
    config = str(Lab.open().paths.ssh_config)
    return {name: testinfra.get_host(f"ssh://{name}", ssh_config=config) for name in names}


def step(function: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Turn a function into the fixture ``measured``: the figures that it returns, which the module's tests check.

    It runs once, before the module's first test. The figures are kept under the step's name, that of the module without
    ``test_``, as JSON: later steps and `make bench` read them with ``scenario.measured``.
    """

    @functools.wraps(function)
    def run() -> dict[str, Any]:
        figures = function()
        scenario.record(Lab.open(), function.__module__.removeprefix("test_"), figures)
        kept: dict[str, Any] = json.loads(json.dumps(figures))
        return kept

    fixture: Callable[[], dict[str, Any]] = pytest.fixture(scope="module", name="measured")(run)
    return fixture
