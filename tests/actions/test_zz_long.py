import sys, random
from hypothesis import settings, seed
from hypothesis.stateful import run_state_machine_as_test
from tests.actions.test_trust import Library
def test_long():
    run_state_machine_as_test(Library, settings=settings(max_examples=25, stateful_step_count=14, deadline=None, derandomize=False, print_blob=True, report_multiple_bugs=False))
