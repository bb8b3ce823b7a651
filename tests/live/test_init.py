import engine
import engine.live


def test_what_users_hold_is_named_here_and_is_public():
    assert all(hasattr(engine.live, name) for name in engine.live.__all__)
    assert {"Engine", "Order", "Update"} <= set(engine.live.__all__) & set(engine.__all__)
