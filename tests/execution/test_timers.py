from hypothesis import given
from hypothesis import strategies as st

from engine.execution.timers import NEVER, Timers

ACTS = st.lists(
    st.tuples(st.sampled_from(["set", "cancel", "take"]), st.integers(0, 4), st.integers(0, 20)), max_size=60
)


@given(ACTS)
def test_timers_are_a_dictionary_that_is_searched(acts):
    timers, twin, count = Timers(), {}, 0
    for act, key, when in acts:
        if act == "set":
            timers.set(key, when)
            if key not in twin or twin[key][0] != when:
                count += 1
                twin[key] = (when, count)
        elif act == "cancel":
            timers.cancel(key)
            twin.pop(key, None)
        else:
            due = sorted((time, order, one) for one, (time, order) in twin.items() if time <= when)
            assert timers.take_due(when) == [one for _, _, one in due]
            for _, _, one in due:
                del twin[one]
        assert timers.next == min((time for time, _ in twin.values()), default=NEVER)


def test_never_is_no_time():
    timers = Timers()
    timers.set("a", 5)
    timers.set("a", NEVER)
    assert timers.next == NEVER
    assert timers.take_due(10) == []
