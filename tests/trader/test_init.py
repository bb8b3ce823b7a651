import engine.trader


def test_what_the_engine_on_a_loop_needs_is_named_here():
    assert {"Trader", "TraderSetup", "Turn", "encode_setup", "recover", "replay_journal"} <= set(engine.trader.__all__)
    assert all(hasattr(engine.trader, name) for name in engine.trader.__all__)
