# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reconcile loop of all modules: read, plan, show the difference, apply, report.

It holds the collection's only check-mode ``if``: both modes share every line but the one that applies,
so check mode predicts what a run does.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Callable, Dict, List, Optional, Union

from .plan import HaError, Plan


def reconcile(module: Any,
              read: Callable[[], Any],
              plan: Callable[[Any], Plan],
              perform: Callable[[Any], None],
              describe: Callable[[Any], Union[str, Dict[str, str]]],
              report: Callable[[Any], Dict[str, Any]],
              settle: Optional[Callable[[Any], Any]] = None) -> None:
    """Bring the state that ``read`` returns to the one that ``plan`` returns, and end the module.

    read: returns the current state.
    plan: turns a current state into a Plan; empty when nothing has to change.
    perform: carries out one action (``Runner.perform``).
    describe: renders a state for ``--diff``, as one text or as several by their headings.
    report: turns a state into the module's own return values.
    settle: waits until the state that was reached is the one to leave, and returns it (never in check mode).

    Ends in ``exit_json`` with ``changed``, ``actions`` (sentences), ``diff`` and the report of the state it left
    (of the predicted state in check mode), or in ``fail_json`` with the actions that had been done by then.
    """
    done: List[str] = []
    try:
        current = read()
        planned = plan(current)
        after = planned.predicted
        if not module.check_mode:
            for action in planned.actions:
                perform(action)
                done.append(action.sentence)
            after = read() if done else current
            after = settle(after) if settle else after
        left = dict(report(after), changed=bool(planned.actions),
                    actions=[action.sentence for action in planned.actions])
        if module._diff:  # Ansible shows what it gets, even where the task says `diff: false`
            left["diff"] = difference(describe(current), describe(planned.predicted))
        module.exit_json(**left)
    except HaError as error:
        module.fail_json(msg=str(error), actions=done, changed=bool(done))


def difference(before: Any, after: Any) -> Any:
    """Return what Ansible shows with ``--diff``: of several texts, those that differ."""
    if isinstance(before, str):
        return {"before": before, "after": after}
    return [{"before_header": name, "after_header": name, "before": before.get(name, ""), "after": after.get(name, "")}
            for name in sorted(set(before) | set(after)) if before.get(name, "") != after.get(name, "")]
