"""The page in a real browser: Chromium, headless, that points, steps, types and reads what is on the screen.

`make browser-test` installs what it needs; where there is no Chromium or no selenium, it is skipped.
"""

import re
import shutil

import html5lib
import numpy as np
import pytest

from cnnbp.page.bug import plant_in
from cnnbp.page.document import Page, page_document
from cnnbp.page.render import save_page
from tests.inspect.lecture import by_hand, lecture_model
from tests.page.pages import coupled_inspection, lecture_document, lecture_inspection, random_inspection

webdriver = pytest.importorskip("selenium.webdriver", reason="make browser-test installs selenium")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="make browser-test installs Chromium")

M = 4
# Every number of a page against what its products come to; the sum over the batch and each image's share.
ANEW = """
const numbers = [];
for (const { symbol, row } of page.stations) {
  const tensor = tensors.get(symbol), stack = tensors.get(`${symbol} by image`);
  const parameter = row === "parameter";
  for (const [one, summed] of [[tensor, parameter], ...(stack?.data ? [[stack, false]] : [])]) {
    if (symbol === "X" || !one.data) continue;
    const step = Math.max(1, Math.floor((one.size * one.images) / arguments[0]));
    for (let k = 0; k < one.size * one.images; k += step) {
      const [place, m] = [one.place(Math.floor(k / one.images)), k % one.images];
      const found = explain(symbol, place, summed ? null : m);
      const terms = found ? found.groups.flatMap((group) => group.terms) : [];
      const scale = one.largest + terms.reduce((total, term) => total + Math.abs(product(term)), 0) || 1;
      numbers.push([symbol, place, m, one.at(place, m) / scale, found && found.computed / scale]);
    }
  }
}
return numbers;
"""


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens a document at a station, in a window of a width."""

    def open_page(document, station="", width=1280):
        save_page(document, tmp_path / "page.html")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get("about:blank")
        browser.get(f"{(tmp_path / 'page.html').as_uri()}#{station}")
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def one(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser, selector):
    return [element.text for element in browser.find_elements(By.CSS_SELECTOR, selector)]


def cell(browser, symbol, *place, m=0):
    """Return the table cell that shows a number."""
    find = "return cells.get(key({ symbol: arguments[0], place: arguments[1], m: arguments[2] }))"
    return browser.execute_script(find, symbol, list(place), m)


def point_at(browser, element):
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", element)
    webdriver.ActionChains(browser).move_to_element(element).perform()


def lit(browser):
    """Return what is lit up: symbol → places."""
    numbers = browser.execute_script("return [...document.querySelectorAll('td.lit')].map((td) => td.number)")
    found = {}
    for number in numbers:
        found.setdefault(number["symbol"], set()).add(tuple(number["place"]))
    return found


def number(text):
    return float(text.replace("−", "-").replace("∞", "inf"))


def press(browser, *keys):
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def set_slider(browser, value):
    script = "const s = document.getElementById('image'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    browser.execute_script(script, value)


def screen(browser, symbol):
    """Return the numbers that the tables on the screen show of a tensor, as (place, m, text)."""
    own = "[...cells.values()].filter((td) => td.number.symbol === arguments[0])"
    script = f"return {own}.map((td) => [td.number.place, td.number.m, td.textContent])"
    return browser.execute_script(script, symbol)


def test_the_arrow_keys_go_through_all_stations_and_every_number_on_the_screen_is_the_one_that_loops_find(opened):
    browser, expected = opened(lecture_document()), by_hand(lecture_model())
    seen = []
    while True:
        current = one(browser, "[aria-current=step]").get_attribute("data-station")
        seen.append(current)
        for m in range(M):
            set_slider(browser, m + 1)
            stacked = browser.execute_script("return tensors.has(arguments[0])", f"{current} by image")
            symbol = f"{current} by image" if stacked else current
            if current in expected:
                assert_shown(screen(browser, symbol), expected[current], symbol)
        if not one(browser, "#next").is_enabled():
            break
        press(browser, Keys.ARROW_RIGHT)
    assert seen == [*(symbol for symbol in expected if symbol != "Y"), "update"]
    press(browser, Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert one(browser, "h2 .spoken").get_attribute("textContent") == "Z1"


def assert_shown(shown, expected, symbol):
    assert shown, symbol
    for place, m, text in shown:
        value = expected[(*place, m)] if expected.ndim == len(place) + 1 else expected[tuple(place)]
        decimals = len(text.partition(".")[2])
        assert number(text) == pytest.approx(value, abs=0.5001 * 10**-decimals), (symbol, place, m)


def test_a_number_of_z1_lights_its_window_and_its_filter_and_writes_out_nine_products(opened):
    browser = opened(lecture_document(), "Z1")
    point_at(browser, cell(browser, "Z1", 0, 1, 2))
    assert lit(browser) == {
        "X": {(0, h, w) for h in (1, 2, 3) for w in (2, 3, 4)},
        "W1": {(0, 0, i, j) for i in range(3) for j in range(3)},
        "b1": {(0,)},
    }
    terms = texts(browser, "#explanation .term")
    assert len(terms) == 10  # and b1
    total = sum(np.prod([number(part.strip("() ")) for part in term.removeprefix("+ ").split(" · ")]) for term in terms)
    value = by_hand(lecture_model())["Z1"][0, 1, 2, 0]
    assert total == pytest.approx(value, abs=1e-3)
    assert number(texts(browser, "#explanation .value b")[0]) == pytest.approx(value, rel=1e-3)


def test_a_pool_lights_its_window_and_marks_the_winner_and_a_loser_says_why_it_gets_nothing(opened):
    browser, expected = opened(lecture_document(), "F"), by_hand(lecture_model())
    window = expected["A1"][0, 2:4, 0:2, 0]
    winner = (2 + window.argmax() // 2, window.argmax() % 2)
    point_at(browser, cell(browser, "F", 0, 1, 0))
    chosen = browser.execute_script("return [...document.querySelectorAll('td.chosen')].map((td) => td.number)")
    assert [tuple(number["place"]) for number in chosen if number["symbol"] == "A1"] == [(0, *winner)]
    assert len(lit(browser)["A1"]) == 4
    browser.execute_script("go(chain.findIndex(({ symbol }) => symbol === '∂L/∂A1'))")
    loser = next((h, w) for h in (2, 3) for w in (0, 1) if (h, w) != winner)
    point_at(browser, cell(browser, "∂L/∂A1", 0, *loser))
    assert "not the largest of its window" in one(browser, "#explanation").text


def test_a_weights_gradient_is_written_out_image_by_image_and_its_sum_is_the_batchs(opened):
    browser, expected = opened(lecture_document(), "∂L/∂W1"), by_hand(lecture_model())["∂L/∂W1"]
    set_slider(browser, M + 1)
    assert one(browser, "#which").text == "Σ over all 4"
    point_at(browser, cell(browser, "∂L/∂W1", 0, 0, 2, 1))
    shares = [number(text.rpartition("= ")[2]) for text in texts(browser, "#explanation .terms")]
    np.testing.assert_allclose(shares, expected[0, 0, 2, 1], rtol=1e-3)
    assert number(one(browser, "#explanation .value b").text) == pytest.approx(expected[0, 0, 2, 1].sum(), rel=1e-3)
    assert len(texts(browser, ".stack .line")) == M + 1
    set_slider(browser, 2)
    point_at(browser, cell(browser, "∂L/∂W1 by image", 0, 0, 2, 1, m=1))
    assert number(one(browser, "#explanation .value b").text) == pytest.approx(expected[0, 0, 2, 1, 1], rel=1e-3)


def test_an_operand_says_in_how_many_numbers_it_takes_part(opened):
    browser = opened(lecture_document(), "Z1")
    for place, count in (((0, 0, 0), 1), ((0, 2, 3), 9), ((0, 5, 2), 3)):
        point_at(browser, cell(browser, "X", *place))
        assert f"in {count} of the 16 numbers of Z1" in one(browser, "#explanation").get_attribute("textContent")


def test_a_pixel_of_the_first_station_is_what_it_is_and_takes_part_in_nothing_there(opened):
    browser = opened(lecture_document())
    point_at(browser, cell(browser, "X", 0, 2, 2))
    value = by_hand(lecture_model())["X"][0, 2, 2, 0]
    assert number(one(browser, "#explanation p").text.removeprefix("= ")) == pytest.approx(value, rel=1e-3)


def test_what_can_be_done_is_said_where_it_can_be_done(opened):
    for station, quiz, filled in (("Z1", False, False), ("Z1", True, True), ("X", True, False)):
        hint = one(opened({**lecture_document(), "quiz": quiz}, station), "#explanation").text
        assert "Point at a number" in hint
        assert ("Fill in an empty box" in hint) == filled
    browser = opened(page_document(Page("net", coupled_inspection())), "look")
    assert not one(browser, "#explanation").is_displayed()


def test_the_product_of_the_path_marks_the_station_on_the_screen_and_leads_to_others(opened):
    browser = opened(lecture_document(), "∂L/∂A1")
    factors = [
        button.get_attribute("data-factor") for button in browser.find_elements(By.CSS_SELECTOR, "#path .factor")
    ]
    assert factors == ["∂L/∂A2", "∂A2/∂Z2", "∂Z2/∂f", "∂f/∂F", "∂F/∂A1", "∂A1/∂Z1", "∂Z1/∂W1"]
    assert texts(browser, "#path .factor small") == ["1×1", "1×1", "1×4", "4×4", "4×16", "16×16", "16×9"]
    assert one(browser, "#path [aria-current]").get_attribute("data-factor") == "∂F/∂A1"
    one(browser, "#path [data-factor='∂Z2/∂f']").click()
    assert one(browser, "[aria-current=step]").get_attribute("data-station") == "∂L/∂f"
    one(browser, "#chain [data-station='∂L/∂A2']").click()
    assert "enters here" in one(browser, "#station").text


def test_the_update_is_gradient_descent_or_the_configurations_own(opened):
    browser, gradient = opened(lecture_document(), "update"), by_hand(lecture_model())["∂L/∂W1"].sum(axis=-1)
    W1 = lecture_model().params["conv2d1"]["W"]
    assert_shown(screen(browser, "W1 + ΔW1"), W1 - 0.05 * gradient, "W1 + ΔW1")
    browser.find_elements(By.CSS_SELECTOR, "input[name=optimizer]")[1].click()
    assert_shown(screen(browser, "W1 + ΔW1"), W1 - 0.05 * gradient / (np.abs(gradient) + 1e-8), "W1 + ΔW1")
    assert "L falls from" in one(browser, "#station").text


def test_numbers_can_be_reached_and_explained_by_keyboard(opened):
    browser = opened(lecture_document(), "Z1")
    browser.execute_script("arguments[0].focus()", one(browser, ".result td[tabindex='0']"))
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert "Z1[0, 1, 1]" in one(browser, "#explanation h3").get_attribute("textContent")
    press(browser, Keys.ESCAPE, Keys.ARROW_RIGHT)
    assert one(browser, "[aria-current=step]").get_attribute("data-station") == "A1"


@pytest.mark.parametrize("seed", range(8))
def test_the_products_of_every_number_come_to_it_whatever_the_layers(opened, seed):
    document = page_document(Page("random", random_inspection(seed)))
    tolerance = 1e-9 if document["exact"] else 1e-5
    assert_products(opened(document).execute_script(ANEW, 400), tolerance)


def assert_products(numbers, tolerance=1e-12):
    assert len(numbers) > 20
    for symbol, place, m, shown, computed in numbers:
        if shown is not None:  # an infinite factor of a saturated output
            assert computed == pytest.approx(shown, abs=tolerance), (symbol, place, m)


def test_a_quiz_tells_right_and_wrong_at_once_with_the_products(opened):
    browser, expected = opened(lecture_document(quiz=True), "Z1"), by_hand(lecture_model())["Z1"]
    first, second = browser.find_elements(By.CSS_SELECTOR, ".result input")
    places = [tuple(map(int, field.get_attribute("data-key").split("|")[1].split(","))) for field in (first, second)]
    first.send_keys(f"{expected[(*places[0], 0)]:.3f}\n")
    assert one(browser, ".verdict").text == "Right."
    assert len(texts(browser, "#explanation .term")) == 10
    [left] = browser.find_elements(By.CSS_SELECTOR, ".result input")
    left.send_keys("9,5\n")
    assert one(browser, ".verdict").text == "9,5 is not right."
    assert number(one(browser, "#explanation .value b").text) == pytest.approx(expected[(*places[1], 0)], rel=1e-3)
    assert "1 right of 2 answered" in one(browser, "#score").text
    assert texts(browser, ".operand .hidden-number") == []  # what is to be found out in X is nothing
    press(browser, Keys.ESCAPE)
    browser.execute_script("go(2)")
    assert "?" not in [text for *_, text in screen(browser, "Z1")]


def test_a_hidden_bug_is_found_where_numbers_do_not_follow_from_what_comes_in(opened):
    planted = plant_in(lecture_inspection(), "dense1:db-doubled", hidden=True)
    browser = opened(lecture_document(planted), "∂L/∂b2")
    numbers = browser.execute_script(ANEW, 1000)
    suspects = {symbol for symbol, _, _, shown, computed in numbers if abs(shown - computed) > 1e-6}
    assert suspects == {"∂L/∂b2"}
    assert "db-doubled" not in texts(browser, "#bug h2")[0]
    answer(browser, "conv2d1:db-zero")
    assert one(browser, "#bug output").text.startswith("No")
    answer(browser, "dense1:db-zero")
    assert one(browser, "#bug output").text.startswith("The layer is right")
    answer(browser, "dense1:db-doubled")
    assert one(browser, "#bug code").text == "dense1:db-doubled"
    assert [
        button.get_attribute("data-station") for button in browser.find_elements(By.CSS_SELECTOR, "#chain .wrong")
    ] == ["∂L/∂b2"]
    right = by_hand(lecture_model())["∂L/∂b2"].sum()
    assert_shown(screen(browser, "∂L/∂b2"), np.array([right]), "∂L/∂b2")
    assert_shown(
        [(place, 0, text.removesuffix(", wrong")) for place, _, text in screen(browser, "wrong ∂L/∂b2")],
        np.array([2 * right]),
        "wrong",
    )


def answer(browser, spelling):
    browser.execute_script("document.getElementById('suspect').value = arguments[0]", spelling)
    one(browser, "#bug button").click()


def test_it_is_valid_html_on_the_screen_too_and_fetches_nothing(opened):
    browser = opened(lecture_document(), "Z1")
    parser = html5lib.HTMLParser()
    parser.parse("<!DOCTYPE html>" + browser.execute_script("return document.documentElement.outerHTML"))
    assert parser.errors == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert not browser.execute_script(
        "return [...document.querySelectorAll('[id]')].some((e, i, all) => all.findIndex((o) => o.id === e.id) !== i)"
    )


def test_a_narrow_screen_shows_it_all_without_scrolling_sideways(opened):
    document = page_document(Page("random", random_inspection(1)))
    for page in (lecture_document(), document):
        browser = opened(page, width=390)
        for _ in (*page["stations"], "look", "update"):
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
            press(browser, Keys.ARROW_RIGHT)


def test_the_station_on_the_screen_is_in_sight_in_a_long_chain(opened):
    browser = opened(page_document(Page("random", random_inspection(1))), width=390)
    inside = "const {left, right} = arguments[0].getBoundingClientRect(); return left >= 0 && right <= innerWidth"
    while one(browser, "#next").is_enabled():
        press(browser, Keys.ARROW_RIGHT)
        assert browser.execute_script(inside, one(browser, "[aria-current=step]")), one(browser, "#where").text


def test_dark_and_light_change_places_and_heat_maps_follow(opened):
    browser = opened(page_document(Page("random", random_inspection(1))))
    paper = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(paper)
    one(browser, "#theme").click()
    after = browser.execute_script(paper)
    assert sum(map(int, re.findall(r"\d+", before))) > 600 > 200 > sum(map(int, re.findall(r"\d+", after)))


def test_on_paper_all_stations_stand_one_below_the_other(opened):
    browser = opened(lecture_document())
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#printed section")) == 21
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.find_elements(By.CSS_SELECTOR, "#printed section") == []
