"""The chat page in a real browser, on the real service: demo shop, embedded model, real databases."""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shopfloor.settings import Settings
from tests.web.conftest import Served, listen, serving

pytestmark = pytest.mark.browser

WISH = "a warm blue jacket under 250"
NASTY = '<img src=x onerror="document.title=1"><b>Bold</b> Mug'


def ask(page: Page, text: str) -> None:
    """Send a message and wait for the end of its answer."""
    before = page.locator(".turn").count()
    page.fill("#message", text)
    page.press("#message", "Enter")
    page.locator(".turn").nth(before).locator(".after, .trouble").wait_for()


def rows(path: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    """Rows of a database of the service."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, values)]


def feedback_of(served: Served, page: Page) -> list[dict[str, Any]]:
    """What this visitor said, as it is stored."""
    user = page.evaluate("localStorage.getItem('shopfloor.user')")
    return rows(served.settings.state_path, "SELECT * FROM feedback WHERE user_id = ? ORDER BY created_at", user)


def eventually(look: Callable[[], bool]) -> None:
    """Wait for what the page does without a visible end."""
    until = time.monotonic() + 10
    while not look():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def test_cards_show_the_databases_prices(page: Page, served: Served) -> None:
    ask(page, WISH)
    cards = page.locator(".card")
    assert cards.count() > 0
    for card in cards.all():
        sku = card.get_attribute("data-sku")
        [product] = rows(served.settings.catalogue_path, "SELECT name, price FROM products WHERE sku = ?", sku)
        expect(card.locator("h3")).to_have_text(product["name"])
        assert card.locator(".price").inner_text() == f"€{product['price']:.2f}"
        expect(card.locator(".badge")).to_have_count(1)
        expect(card.locator(".drawing")).to_have_attribute("data-kind", re.compile(r"jacket|coat|knit"))
    expect(page.locator(".words")).not_to_be_empty()
    expect(page.locator("#shop-text")).to_have_text("Larkstone")


def test_route_and_time_are_shown(page: Page) -> None:
    ask(page, WISH)
    expect(page.locator(".chip.route")).to_have_attribute("data-route", "recommendation")
    expect(page.locator(".chip.route")).to_have_attribute("data-by", re.compile("local|rules"))
    assert re.fullmatch(r"[\d.,]+ m?s", page.locator(".chip.time").inner_text())


def test_cards_never_move_while_the_answer_streams(page: Page, served: Served) -> None:
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => {
                const now = [...document.querySelectorAll('.card')].map((card) => [card.dataset.sku, card.offsetTop]);
                if (now.length) window.seen.push(JSON.stringify(now));
            }).observe(document.getElementById('turns'), { childList: true, subtree: true, characterData: true });
        }"""
    )
    ask(page, WISH)
    seen = page.evaluate("window.seen")
    assert len(set(seen)) == 1 and len(seen) > 1
    shown = rows(
        served.settings.state_path,
        "SELECT sku FROM shown JOIN answers USING (answer_id) JOIN turns USING (trace_id) WHERE thread_id = ? ORDER BY position",
        page.evaluate("localStorage.getItem('shopfloor.thread')"),
    )
    assert [sku for sku, _ in json.loads(seen[0])] == [row["sku"] for row in shown]


def test_stars_are_stored_and_come_back(page: Page, served: Served) -> None:
    ask(page, WISH)
    page.get_by_title("4 stars, very good").click()
    expect(page.locator(".react .noted")).to_have_text("Thank you, noted.")
    page.get_by_title("5 stars, excellent").click()
    eventually(lambda: [row["rating"] for row in feedback_of(served, page)] == [5])
    assert feedback_of(served, page)[0]["trace_id"]
    page.reload()
    expect(page.locator(".stars")).to_have_attribute("data-stars", "5")


def test_what_became_of_a_product_is_stored(page: Page, served: Served) -> None:
    ask(page, WISH)
    card = page.locator(".card").first
    card.locator("[data-action=purchased]").click()
    expect(card.locator("[data-action=purchased]")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: len(feedback_of(served, page)) == 1)
    [stored] = feedback_of(served, page)
    assert (stored["action"], stored["sku"], stored["position"]) == ("purchased", card.get_attribute("data-sku"), 1)


def test_a_correction_names_a_real_product(page: Page, served: Served) -> None:
    ask(page, WISH)
    page.get_by_role("button", name="Correct this").click()
    form = page.get_by_role("form", name="Correct this answer")
    field = form.get_by_label("Which product would have been right?")
    expect(field).to_be_focused()
    field.fill("No Such Thing At All")
    form.get_by_role("button", name="Send").click()
    expect(form.locator(".noted")).to_contain_text("no product by that name")
    field.fill("sku_jck_01")
    field.press("Enter")
    expect(form.locator(".confirmed")).to_contain_text("Harbour Casual Jacket would have been right")
    [stored] = feedback_of(served, page)
    assert json.loads(stored["correction"]) == {"kind": "better_product", "sku": "SKU_JCK_01"}


def test_stock_answers_show_the_databases_numbers_and_take_corrections(page: Page, served: Served) -> None:
    ask(page, "Which stores have SKU_JCK_01 in stock?")
    lines = page.locator(".stock tbody tr")
    assert lines.count() > 1
    for line in lines.all():
        store = line.get_attribute("data-store")
        [stock] = rows(
            served.settings.catalogue_path,
            "SELECT sum(quantity) AS units FROM stock WHERE store_id = ? AND sku = 'SKU_JCK_01'",
            store,
        )
        assert line.locator(".quantity").text_content() == (str(stock["units"]) if stock["units"] else "none")
    page.get_by_role("button", name="Correct this").click()
    page.get_by_text("The right stock").click()
    page.get_by_label("Units there").fill("7")
    page.get_by_role("form", name="Correct this answer").get_by_role("button", name="Send").click()
    expect(page.locator(".confirmed")).to_contain_text("7 in")
    correction = json.loads(feedback_of(served, page)[0]["correction"])
    assert correction["kind"] == "stock" and correction["quantity"] == 7 and correction["sku"] == "SKU_JCK_01"


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_has_nothing_to_scroll_sideways(context: BrowserContext, served: Served, width: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(served.base)
    page.locator(".starter").first.wait_for()
    wide = """() => Math.max(document.documentElement.scrollWidth - innerWidth,
        document.getElementById('scroll').scrollWidth - document.getElementById('scroll').clientWidth)"""
    assert page.evaluate(wide) <= 0
    ask(page, WISH)
    ask(page, "Which stores have SKU_JCK_01 in stock?")
    page.get_by_role("button", name="Correct this").last.click()
    assert page.evaluate(wide) <= 0
    assert page.evaluate("document.scrollingElement.scrollTop") == 0
    expect(page.locator(".top")).to_be_in_viewport()
    expect(page.locator("#message")).to_be_in_viewport()


def test_a_reload_brings_the_conversation_back(page: Page) -> None:
    ask(page, WISH)
    ask(page, "Which stores have SKU_JCK_01 in stock?")
    content = """() => [...document.querySelectorAll('.asked p, .words, .card, .stock tbody tr, .chip.route')].map((part) => part.textContent)"""
    before = page.evaluate(content)
    page.reload()
    page.locator(".turn").nth(1).wait_for()
    assert page.evaluate(content) == before
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_role("heading", name="What are you looking for?")).to_be_visible()
    page.reload()
    page.locator(".starter").first.wait_for()
    expect(page.locator(".turn")).to_have_count(0)


def test_stop_ends_the_turn_and_the_next_one_works(page: Page) -> None:
    page.fill("#message", WISH)
    # Both clicks in the page, a moment apart: a short answer would be over before a click from outside arrives.
    page.evaluate(
        """async () => {
            const button = document.getElementById('send');
            button.click();
            await new Promise((later) => setTimeout(later, 10));
            if (button.getAttribute('aria-label') !== 'Stop') throw new Error('there is nothing to stop with');
            button.click();
        }"""
    )
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_role("button", name="Ask again").click()
    page.locator(".turn .after").wait_for()
    expect(page.locator(".turn")).to_have_count(1)


def test_offline_says_so_and_the_message_can_be_sent_again(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    expect(page.locator("#banner")).to_contain_text("You are offline")
    ask(page, "hello")
    expect(page.locator(".trouble")).to_contain_text("You are offline")
    context.set_offline(False)
    expect(page.locator("#banner")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    page.locator(".turn .after").wait_for()
    expect(page.locator(".words")).not_to_be_empty()


def test_a_refusal_shows_the_services_own_sentence(page: Page, context: BrowserContext) -> None:
    ask(page, "hello")
    page.evaluate("localStorage.setItem('shopfloor.user', 'somebody-else')")
    ask(page, "hello again")
    expect(page.locator(".trouble p")).to_contain_text(re.compile(r"conversation|thread", re.IGNORECASE))


def test_keyboard_alone_is_enough(page: Page) -> None:
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("a warm blue jacket")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("under 250")
    page.keyboard.press("Enter")
    page.locator(".turn .after").wait_for()
    assert page.locator(".asked p").inner_text() == "a warm blue jacket\nunder 250"
    expect(page.locator("#message")).to_be_focused()
    page.locator(".card").last.get_by_role("button").last.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "radio"
    page.keyboard.press("ArrowRight")
    expect(page.locator(".react .noted")).to_have_text("Thank you, noted.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("form", name="Correct this answer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("form", name="Correct this answer")).to_be_hidden()
    expect(page.get_by_role("button", name="Correct this")).to_be_focused()


NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, select, a')].filter((part) => {
    const named = (part.getAttribute('aria-label') || part.textContent || '').trim();
    return !named && !(part.labels && [...part.labels].some((label) => label.textContent.trim()));
}).map((part) => part.outerHTML)"""

PALE = """() => {
    const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
    const ground = (part) => {
        for (; part; part = part.parentElement) {
            const colour = parse(getComputedStyle(part).backgroundColor);
            if (colour.length === 3 || colour[3] > .99) return colour;
        }
        return [255, 255, 255];
    };
    const pale = [];
    for (const part of document.querySelectorAll('body *')) {
        const own = [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || part.closest('.away, noscript, [hidden], :disabled, .skip') || !part.getClientRects().length) continue;
        const [a, b] = [light(parse(getComputedStyle(part).color)), light(ground(part))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5) pale.push(`${part.className} ${part.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
    }
    return pale;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_and_every_text_contrast(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate(PALE) == []
    ask(page, WISH)
    ask(page, "Which stores have SKU_JCK_01 in stock?")
    page.get_by_role("button", name="Correct this").last.click()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(PALE) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((part) => part.id)")
    assert len(ids) == len(set(ids))


def test_the_answer_is_announced_once_and_whole(page: Page) -> None:
    ask(page, WISH)
    spoken = page.locator("#spoken").inner_text()
    assert page.locator(".words").inner_text() in spoken
    assert page.locator(".card h3").first.inner_text() in spoken


def test_nothing_leaves_the_shop(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    response = page.goto(served.base)
    page.locator(".starter").first.wait_for()
    assert response is not None and "unsafe" not in response.headers["content-security-policy"]
    assert asked and all(url.startswith(served.base) for url in asked)


# A shop that means harm -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nasty(web_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shop whose names hold markup; without the local model, as a bad installation would be."""
    folder = tmp_path_factory.mktemp("nasty-shop")
    name = NASTY.replace('"', '""')
    (folder / "products.csv").write_text(
        "sku,name,category,price,currency,description,colour\n"
        f'M1,"{name}","<i>Mugs</i>",4.5,GBP,"A mug. <script>document.title=2</script>","<u>red</u>"\n'
        'M2,"Plain Mug","<i>Mugs</i>",3.5,GBP,"A plain mug.",red\n',
        encoding="utf-8",
    )
    settings = web_settings.model_copy(
        update={"shop": folder, "data": tmp_path_factory.mktemp("nasty-data"), "model": folder / "none.gguf"}
    )
    with serving(settings) as service:
        yield service


def test_markup_in_names_is_text(browser: Browser, nasty: Served) -> None:
    page = browser.new_page()
    complaints = listen(page)
    page.goto(nasty.base)
    page.locator(".starter").first.wait_for()
    ask(page, "show me your mugs")
    expect(page.locator(".card h3").filter(has_text=NASTY)).to_have_count(1)
    assert page.locator(".card h3 *, .starter *, .card img, .words *").count() == 0
    assert page.title().endswith("shop assistant")
    assert page.locator(".card .price").first.inner_text().startswith("£")
    assert complaints == []
    page.close()
