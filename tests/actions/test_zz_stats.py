from collections import Counter
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.actions import test_trust as T
C=Counter()
def run(self, crash, *a):
    T.FUSE.light(crash or 10**9)
    try:
        r=self.world.run(*a); C[a[0], 'status', r.status]+=1
        assert "sdkeep itself broke" not in r.stderr, (a, r.stderr)
        if r.status not in (0,): C[a[0], [l for l in r.stderr.splitlines() if 'error' in l][:1].__repr__()[:70]]+=1
    except T.Crash: C[a[0],'crash']+=1
    finally: T.FUSE.light(None)
def test_s():
    T.Library.run=run
    try:
        run_state_machine_as_test(T.Library, settings=settings(max_examples=12, stateful_step_count=16, deadline=None, derandomize=False, report_multiple_bugs=False))
    finally:
        for k,v in sorted(C.items(), key=str): print("STAT",k,v)
    assert 0
