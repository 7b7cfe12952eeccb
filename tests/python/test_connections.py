"""Which credentials and address a shop has at a vendor, from the environment."""

from __future__ import annotations

import pytest
from push_world import settings_of

from orchestration.errors import HealthError
from orchestration.settings import Settings


def test_a_shops_own_variable_goes_before_the_general_one() -> None:
    found = settings_of(
        {
            "KLAVIYO_API_KEY": "general",
            "KLAVIYO_API_KEY__MY_SHOP_2": "own",
            "HEALTH_KLAVIYO_URL": "http://127.0.0.1:1/{shop}/",
            "SHOPIFY_ACCESS_TOKEN__MY_SHOP_2": "token",
        }
    )
    mine, other = found.connection("my-shop-2", "klaviyo"), found.connection("other", "klaviyo")
    assert mine is not None
    assert other is not None
    assert (mine.secret.get_secret_value(), mine.url) == ("own", "http://127.0.0.1:1/my-shop-2")
    assert other.secret.get_secret_value() == "general"
    assert other.variable == "KLAVIYO_API_KEY__OTHER"
    real = found.connection("my-shop-2", "shopify")
    assert real is not None
    assert real.url == "https://my-shop-2.myshopify.com/admin/api/2026-07/graphql.json"
    assert found.connection("other", "shopify") is None


def test_connections_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLAVIYO_API_KEY__AURELIA", "from the environment")
    monkeypatch.setenv("KLAVIYO_API_KEYS", "not ours")
    monkeypatch.delenv("KLAVIYO_API_KEY", raising=False)
    found = Settings()
    assert "KLAVIYO_API_KEYS" not in found.connections
    mine = found.connection("aurelia", "klaviyo")
    assert mine is not None
    assert mine.secret.get_secret_value() == "from the environment"
    assert mine.url == "https://a.klaviyo.com"
    assert found.connection("hoshi", "klaviyo") is None


@pytest.mark.parametrize("url", ["http://vendor.example/x", "vendor.example", "http://127.evil.io"])
def test_a_secret_never_travels_in_clear(url: str) -> None:
    found = settings_of({"KLAVIYO_API_KEY": "k", "HEALTH_KLAVIYO_URL": url})
    with pytest.raises(HealthError, match="HEALTH_KLAVIYO_URL must start with https"):
        found.connection("aurelia", "klaviyo")
