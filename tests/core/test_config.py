from engine.core.config import Provider, masked_url


def test_secrets_are_not_shown():
    provider = Provider("alpaca", url="wss://me:pw@host/v2?token=abc&x=1", key="AK", secret="SK", feed="iex")
    for text in (repr(provider), str(provider), f"{[provider]}"):
        assert "AK" not in text
        assert "SK" not in text
        assert "abc" not in text
        assert "pw" not in text
    assert repr(provider) == (
        "Provider(name='alpaca', url='wss://***@host/v2?token=***&x=***', key='***', secret='***', feed='iex')"
    )


def test_masked_urls_keep_what_is_no_secret():
    assert masked_url("wss://host:1/path") == "wss://host:1/path"
