from engine.core.trading import OrderState, Submit
from engine.execution.parent import Parent, Traded
from tests.execution.children import NANO, child


def parent():
    return Parent(Submit(1, 0, "AAPL", "buy", 100 * NANO, {}, tag="t"), Traded("AAPL", 0), 5)


def test_a_view_shows_live_children_and_is_made_anew_when_they_change():
    one = parent()
    assert one.view(7, 1, 2).working == ()
    live = child()
    one.live[live.id] = live
    assert one.view(7, 1, 2).working == ()  # until the change is told
    one.working = None
    (seen,) = one.view(7, 1, 2).working
    assert (seen.child, seen.leaves, seen.state, seen.tif) == (live.id, 100 * NANO, OrderState.PENDING_NEW, "day")
    assert one.view(7, 1, 2)[:5] == ("buy", 100 * NANO, 0, 7, 0)


def test_holds_become_longer_up_to_a_bound():
    one, found = parent(), []
    for tries in range(12):
        one.hold(tries, 0)
        found.append(one.hold_until)
    assert found == sorted(found)
    assert found[0] == NANO // 4
    assert found[-1] == 10 * NANO


def test_its_plain_form_is_for_people():
    plain = parent().to_dict()
    assert (plain["tag"], plain["state"], plain["quantity"]) == ("t", "pending-new", 100 * NANO)
