"""A good body for every route that takes one."""

MESSAGE = {"messages": [{"type": "human", "content": "hello"}]}

GOOD: dict[str, dict[str, object]] = {
    "/get-recommendations": {"user_id": "test", "context": "jacket", "count": 3},
    "/check-inventory": {"product_id": "SKU_JCK_01"},
    "/feedback": {"product_id": "SKU_JCK_01", "rating": 4},
    "/api/chat": {"text": "hello", "user_id": "test"},
    "/v1/chat/completions": {"model": "shopfloor", "messages": [{"role": "user", "content": "hello"}]},
    "/shop/invoke": {"input": MESSAGE},
    "/shop/stream": {"input": MESSAGE},
    "/shop/batch": {"inputs": [MESSAGE]},
    "/shop/stream_log": {"input": MESSAGE},
    "/shop/stream_events": {"input": MESSAGE},
    "/shop/chat/invoke": {"input": MESSAGE},
}
ROUTES = list(GOOD)
