"""Where a plan goes: pure functions, no graph."""

from shopfloor.graph.plan import Plan, inventory_task, recommend_task
from shopfloor.graph.routing import after_recommendation, over_hops, targets
from shopfloor.graph.state import Memory

WISH = recommend_task("a warm jacket")
OF_TOP = inventory_task("is it in Berlin?", of_top=True, city="Berlin")
OWN = inventory_task("is SKU_JCK_01 in Delhi?")


def plan(**parts: object) -> Plan:
    return Plan("both", "rules", 1.0, "test", **parts)  # type: ignore[arg-type]


def test_a_wish_goes_to_recommendation() -> None:
    assert [send.node for send in targets(plan(recommend=WISH), Memory(), "respond")] == ["recommendation"]


def test_independent_needs_run_side_by_side() -> None:
    sends = targets(plan(recommend=WISH, inventory=(OWN,)), Memory(), "respond")
    assert [send.node for send in sends] == ["recommendation", "inventory"]
    assert sends[0].arg["after"] == []


def test_dependent_needs_wait_and_the_others_wait_with_them() -> None:
    (send,) = targets(plan(recommend=WISH, inventory=(OF_TOP, OWN)), Memory(), "respond")
    assert send.node == "recommendation"
    following = after_recommendation(send.arg, "SKU_TOP")
    assert [one.arg["inventory"]["sku"] for one in following if not isinstance(one, str)] == ["SKU_TOP", None]


def test_without_a_product_only_independent_questions_follow() -> None:
    (send,) = targets(plan(recommend=WISH, inventory=(OF_TOP,)), Memory(), "respond")
    assert after_recommendation(send.arg, None) == "respond"
    (send,) = targets(plan(recommend=WISH, inventory=(OF_TOP, OWN)), Memory(), "supervisor")
    following = after_recommendation(send.arg, None)
    assert [one.arg["inventory"]["question"] for one in following if not isinstance(one, str)] == [OWN["question"]]


def test_a_direct_reply_needs_no_agent() -> None:
    assert targets(plan(reply="thanks"), Memory(), "respond") == []


def test_agents_get_what_they_may_use_of_the_memory() -> None:
    memory = Memory(focus={"sku": "A1"}, parsed={"text": "x"})
    (send,) = targets(plan(inventory=(OWN,)), memory, "supervisor")
    assert send.arg["focus"] == {"sku": "A1"}
    assert send.arg["back"] == "supervisor"


def test_the_hop_limit() -> None:
    assert not over_hops(6, 6)
    assert over_hops(7, 6)
