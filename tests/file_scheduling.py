"""How pytest-xdist deals files to its processes here, so that a process that dies fails one test and no more.

xdist's own ``--dist loadfile`` (3.8) runs the test that killed a process again in the next one, gives work to
processes that have not collected their tests yet, which ends the whole run with an internal error, and lets a
process wait for ever on a file of one test. Its issues 714, 784 and 1362 tell of it.
"""

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class SteadyFileScheduling(LoadFileScheduling):
    """All tests of a file run in one process; where it dies, those after the deadly one run in another."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Forgets a process; returns the test that it died of, None where it was done."""
        units = self.assigned_work.pop(node)
        if self.collection is None:  # it died before anything was dealt: it does not count as ready
            self.registered_collections.pop(node, None)
        left = {file: tests for file, tests in units.items() if not all(tests.values())}
        if not left:
            return None
        tests = next(iter(left.values()))  # they run in this order
        deadly = next(test for test, done in tests.items() if not done)
        tests[deadly] = True  # as far as it can be
        self.workqueue.update({file: tests for file, tests in left.items() if not all(tests.values())})
        for other in self.nodes:
            self._reschedule(other)
        return deadly

    def _reschedule(self, node: WorkerController) -> None:
        """Gives a process files until it has tests to go on with: it starts one when it knows the next."""
        if node.shutting_down or node not in self.registered_collections:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= 2:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()  # when it has run what it has


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SteadyFileScheduling | None:
    return SteadyFileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
