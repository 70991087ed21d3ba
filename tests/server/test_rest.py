"""The REST routes, on the demo shop."""

import httpx
import pytest


def test_recommendations_have_the_promised_shape(client: httpx.Client) -> None:
    response = client.post("/get-recommendations", json={"user_id": "test", "context": "jacket", "count": 3})
    assert response.status_code == 200
    body = response.json()
    assert body["user_id"] == "test"
    assert len(body["items"]) == 3
    assert [item["position"] for item in body["items"]] == [1, 2, 3]
    for item in body["items"]:
        assert item["sku"] and item["name"] and item["reason"]
        assert sum(item["signals"].values()) == pytest.approx(item["score"], abs=1e-4)
        assert item["currency"]
    assert {"name", "hash", "adapter", "profile", "runtime"} <= body["model"].keys()
    assert response.headers["x-trace-id"] == body["trace_id"]


def test_count_is_kept(client: httpx.Client) -> None:
    body = client.post("/get-recommendations", json={"user_id": "t", "context": "a warm jacket", "count": 1}).json()
    assert len(body["items"]) == 1


def test_stock_anywhere_adds_up(client: httpx.Client) -> None:
    body = client.post("/check-inventory", json={"product_id": "SKU_JCK_01"}).json()
    assert body["product"]["sku"] == "SKU_JCK_01"
    assert body["total_quantity"] == sum(store["quantity"] for store in body["stores"])
    assert body["available"] == (body["total_quantity"] >= 1)
    assert body["analysis"]["status"] in {"in_stock", "low", "out"}
    assert body["answer"]


def test_stock_in_a_city_names_its_store(client: httpx.Client) -> None:
    request = {"product_id": "SKU_JCK_01", "location_context": {"city": "Delhi"}}
    body = client.post("/check-inventory", json=request).json()
    assert any("Delhi" in (store["city"] or "") for store in body["stores"])


def test_unknown_product_is_404_with_matches(client: httpx.Client) -> None:
    response = client.post("/check-inventory", json={"product_id": "SKU_JKC_01"})
    assert response.status_code == 404
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["matches"]
    assert problem["trace_id"] == response.headers["x-trace-id"]


def test_feedback_joins_a_recommendation_by_sku(client: httpx.Client) -> None:
    request = {"user_id": "joiner", "context": "blue casual jacket", "count": 5}
    made = client.post("/get-recommendations", json=request).json()
    sku = made["items"][1]["sku"]
    request = {"user_id": "joiner", "recommendation_id": sku, "rating": 5, "action": "purchased"}
    joined = client.post("/feedback", json=request).json()
    assert joined["accepted"]
    assert joined["agent"] == "recommendation"
    assert joined["trace_id"] == made["trace_id"]


def test_feedback_by_answer_id_is_stored_once(client: httpx.Client) -> None:
    made = client.post("/get-recommendations", json={"user_id": "once", "context": "socks"}).json()
    request = {"user_id": "once", "recommendation_id": made["recommendation_id"], "rating": 2, "idempotency_key": "k-1"}
    first = client.post("/feedback", json=request).json()
    second = client.post("/feedback", json=request).json()
    assert not first["duplicate"]
    assert second["duplicate"]
    assert second["feedback_id"] == first["feedback_id"]


def test_feedback_on_a_product_without_answer_is_kept(client: httpx.Client) -> None:
    body = client.post("/feedback", json={"product_id": "SKU_JCK_01", "rating": 4}).json()
    assert body["trace_id"] is None
    assert body["accepted"]


def test_feedback_on_something_unknown_is_404(client: httpx.Client) -> None:
    response = client.post("/feedback", json={"recommendation_id": "SKU_NOPE_99", "rating": 4})
    assert response.status_code == 404


def test_model_stats_count_requests(client: httpx.Client) -> None:
    client.post("/get-recommendations", json={"user_id": "stats", "context": "hat"})
    stats = client.get("/model-stats").json()
    assert {"recommendation", "inventory"} <= stats["agents"].keys()
    agent = stats["agents"]["recommendation"]
    assert agent["requests"] >= 1
    assert agent["memory_mb"] > 0
    assert {"p50", "p95", "p99"} <= agent["latency_ms"].keys()
    assert {"count", "mean_rating", "usable"} <= agent["feedback"].keys()
